"""The published experiment: its trainings, Table 3, the ablation, and the paper's claims."""
