"""The published experiment: its trainings, Table 3, the ablation, the paper's claims, and the documents that quote it.

``variants``      its trainings
``kept``          the published part of their results
``table3``        the paper's values beside the measured ones
``bootstrap``     intervals over trainings and scenes
``effects``       differences between methods, and the effect of each change
``sizes``         particle sizes of all scenes taken together
``evidence``      the form of a claim, and how claims are weighed
``claims``        the paper's claims, each with evidence and verdict
``loss_trials``   what each loss sees and prefers: small experiments without training
``wording``       sentences that results must not contradict
``results_page``  results/reference/RESULTS.md
``rock_page``     its part about real wet rock
``sizing_page``   its part about particles found and sized
``scaling``       what more machines gain, for docs/scaling.md
``contents``      the notebooks, what each shows and needs
``document``      all documents that quote numbers
``__main__``      steps that no notebook runs
"""
