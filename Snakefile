# What depends on what. Called by the Makefile; also by hand: snakemake --cores 2 --config profile=smoke
# Each rule runs one notebook headless. A run folder's checkpoint.pt is no declared output on purpose: Snakemake
# deletes the outputs of a failed job, and the checkpoint is what the next try goes on from.

PROFILE = config.get("profile", "quick")
SEED = config.get("seed", 0)
RESULTS = config.get("results_dir", "results")
DATA = config.get("data_dir") or None  # None: the embedded scenes
METHODS = ["pix2pix", "cyclegan", "improved"]
TRAINING_THREADS = 2  # Experiment.threads: fixed, because another number gives other rounding

OUT = f"{RESULTS}/{PROFILE}"
FIGURES = f"{OUT}/figures"
PAPERMILL = "papermill --engine orelib --no-progress-bar --log-level WARNING --stdout-file -"
PARAMETERS = f"-p profile {PROFILE} -p results_dir '{RESULTS}'"
FROM_DATA = PARAMETERS + (f" -p data_dir '{DATA}'" if DATA else "")


rule all:
    default_target: True
    input:
        f"{OUT}/table3.csv",
        f"{FIGURES}/mosaic.png",
        f"{FIGURES}/figure6_generator_loss.png",
        f"{FIGURES}/figure8_comparison.png",


rule dataset:
    input:
        notebook="notebooks/01_dataset.ipynb",
    output:
        manifest=f"{OUT}/manifest.csv",
        figure=f"{FIGURES}/figure5_pairs.png",
        embedded=[] if DATA else f"data/{PROFILE}/manifest.json",
    params:
        executed=f"{OUT}/notebooks/01_dataset.ipynb",
    threads: workflow.cores
    shell:
        "echo '== 01 data set: {PROFILE}'; mkdir -p {OUT}/notebooks && {PAPERMILL} {input.notebook} {params.executed} {FROM_DATA}"


rule mosaic:
    input:
        notebook="notebooks/02_mosaic.ipynb",
        data=rules.dataset.output,
    output:
        figure=f"{FIGURES}/mosaic.png",
    params:
        executed=f"{OUT}/notebooks/02_mosaic.ipynb",
    shell:
        "echo '== 02 Mosaic samples'; {PAPERMILL} {input.notebook} {params.executed} {FROM_DATA} -p seed {SEED}"


rule train:
    input:
        notebook="notebooks/03_training.ipynb",
        data=rules.dataset.output,
    output:
        metrics=f"{OUT}/{{method}}-seed{{seed}}/metrics.csv",
        generator=f"{OUT}/{{method}}-seed{{seed}}/generator.safetensors",
    params:
        executed=f"{OUT}/notebooks/03_training-{{method}}-seed{{seed}}.ipynb",
    threads: TRAINING_THREADS
    shell:
        "echo '== 03 training {wildcards.method}, seed {wildcards.seed}'; {PAPERMILL} {input.notebook} {params.executed} {FROM_DATA} -p method {wildcards.method} -p seed {wildcards.seed}"


RUNS = expand(rules.train.output.metrics, method=METHODS, seed=SEED)
GENERATORS = expand(rules.train.output.generator, method=METHODS, seed=SEED)


rule loss_curves:
    input:
        notebook="notebooks/04_loss_curves.ipynb",
        runs=RUNS,
    output:
        figure6=f"{FIGURES}/figure6_generator_loss.png",
        figure7=f"{FIGURES}/figure7_discriminator_loss.png",
    params:
        executed=f"{OUT}/notebooks/04_loss_curves.ipynb",
    shell:
        "echo '== 04 loss curves'; {PAPERMILL} {input.notebook} {params.executed} {PARAMETERS} -p seed {SEED}"


rule table3:
    input:
        notebook="notebooks/05_table3.ipynb",
        runs=RUNS,
    output:
        table=f"{OUT}/table3.csv",
        figure=f"{FIGURES}/table3.png",
    params:
        executed=f"{OUT}/notebooks/05_table3.ipynb",
    shell:
        "echo '== 05 Table 3'; {PAPERMILL} {input.notebook} {params.executed} {PARAMETERS} -p seed {SEED}"


rule compare:
    input:
        notebook="notebooks/06_compare.ipynb",
        generators=GENERATORS,
    output:
        figure=f"{FIGURES}/figure8_comparison.png",
    params:
        executed=f"{OUT}/notebooks/06_compare.ipynb",
    shell:
        "echo '== 06 comparison'; {PAPERMILL} {input.notebook} {params.executed} {FROM_DATA} -p seed {SEED}"
