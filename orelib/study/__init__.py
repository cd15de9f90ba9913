"""The published experiment: its trainings, Table 3, the ablation, the paper's claims, and the documents that quote it.

``variants``      which trainings it takes
``kept``          what of their results is published
``table3``        paper beside measured
``bootstrap``     intervals over trainings and scenes
``effects``       differences between methods, and what each change does
``evidence``      what a claim is, and how claims are weighed
``claims``        the paper's claims, each with evidence and verdict
``wording``       sentences that results must not contradict
``results_page``  results/reference/RESULTS.md
``document``      all documents that quote numbers
``__main__``      steps that no notebook does
"""
