# What depends on what. Called by the Makefile; also by hand: snakemake --cores 2 --config profile=smoke
# Each rule but the last runs one notebook headless. A run folder's checkpoint.pt is no declared output on purpose: Snakemake
# deletes the outputs of a failed job, and the checkpoint is what the next try goes on from.

from pathlib import Path

from orelib.config import METHODS, Experiment, Folders
from orelib.study import study

PROFILE = config.get("profile", "quick")
SEED = config.get("seed", 0)
RESULTS = str(Path(str(config.get("results_dir", "results"))).expanduser())
DATA = str(config.get("data_dir") or "")  # empty: the embedded scenes
TRAINING_THREADS = Experiment.from_profile(PROFILE).threads  # fixed, because another number gives other rounding

OUT = f"{RESULTS}/{PROFILE}"
FIGURES = f"{OUT}/figures"
PAPERMILL = "papermill --engine orelib --no-progress-bar --log-level WARNING --stdout-file -"
EMBEDDED = [] if DATA else [f"data/{PROFILE}/manifest.json"]
PHOTOGRAPHS = sorted(str(path) for path in Path(DATA).expanduser().glob("*/*/*")) if DATA else []


def changes_of(wildcards):
    """What the name of a run, for instance improved+ssim_window=7, says to be changed."""
    return " ".join(wildcards.variant.split("+")[1:])


def changed(wildcards):
    """The notebook's parameter, where something is changed."""
    return ["-r", "changes", changes_of(wildcards)] if changes_of(wildcards) else []


def method_of(wildcards):
    return wildcards.variant.partition("+")[0]


def scenes_of(wildcards):
    """The data set of a training: the profile's, or one of its own where the changes make it another."""
    return f"data/{Folders(PROFILE, changes=changes_of(wildcards)).data.name}/manifest.json" if not DATA else []


def papermill(notebook, executed, *, data=False, changed=False, **parameters):
    """The command that executes one notebook; ``-r`` keeps folder names text."""
    command = f"{PAPERMILL} notebooks/{notebook} {{params.executed:q}} -p profile {PROFILE} -r results_dir {{params.results:q}}"
    command += " -r data_dir {params.data:q}" if data and DATA else ""
    command += "".join(f" -p {name} {value}" for name, value in parameters.items())
    command += " {params.changed:q}" if changed else ""
    return f"echo '== {executed}'; mkdir -p {{params.notebooks:q}}; {command}"


# What a result depends on besides its input files; Snakemake runs a rule again when one of them changes.
PARAMS = {"results": RESULTS, "data": DATA, "notebooks": f"{OUT}/notebooks", "seed": SEED}


rule all:
    default_target: True
    input:
        f"{OUT}/table3.csv",
        f"{FIGURES}/mosaic.png",
        f"{FIGURES}/figure6_generator_loss.png",
        f"{FIGURES}/figure8_comparison.png",
        f"{OUT}/report.html",


rule dataset:
    input:
        "notebooks/01_dataset.ipynb",
        PHOTOGRAPHS,
    output:
        f"{OUT}/manifest.csv",
        f"{FIGURES}/figure5_pairs.png",
        EMBEDDED,
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/01_dataset.ipynb",
    threads: workflow.cores
    shell:
        papermill("01_dataset.ipynb", f"01 data set: {DATA or PROFILE}", data=True)


rule mosaic:
    input:
        "notebooks/02_mosaic.ipynb",
        rules.dataset.output,
    output:
        f"{FIGURES}/mosaic.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/02_mosaic.ipynb",
    shell:
        papermill("02_mosaic.ipynb", "02 Mosaic samples", data=True, seed=SEED)


rule train:
    input:
        "notebooks/03_training.ipynb",
        rules.dataset.output,
        scenes_of,
    output:
        metrics=f"{OUT}/{{variant}}-seed{{seed}}/metrics.csv",
        generator=f"{OUT}/{{variant}}-seed{{seed}}/generator.safetensors",
    wildcard_constraints:
        seed=r"\d+",
    params:
        **{**PARAMS, "seed": "{seed}"},
        executed=f"{OUT}/notebooks/03_training-{{variant}}-seed{{seed}}.ipynb",
        method=method_of,
        changed=changed,
    threads: TRAINING_THREADS
    resources:
        gpu=1 if PROFILE == "paper" else 0,
    shell:
        papermill(
            "03_training.ipynb",
            "03 training {wildcards.variant}, seed {wildcards.seed}",
            data=True,
            changed=True,
            method="{params.method}",
            seed="{wildcards.seed}",
        )


RUNS = expand(rules.train.output.metrics, variant=METHODS, seed=SEED)
GENERATORS = expand(rules.train.output.generator, variant=METHODS, seed=SEED)


rule changed_scenes:
    output:
        f"data/{PROFILE}+{{changes}}/manifest.json",
    wildcard_constraints:
        changes=r"[^/]+",
    params:
        changes=lambda wildcards: wildcards.changes.replace("+", " "),
    threads: workflow.cores
    shell:
        f"python -m orelib.study scenes {PROFILE} --changes {{params.changes:q}}"


rule sizing_scenes:
    input:
        EMBEDDED,
    output:
        f"data/{PROFILE}/sizing/manifest.json",
    threads: workflow.cores
    shell:
        f"python -m orelib.study sizing-scenes {PROFILE}"


rule size_unrestored:
    input:
        EMBEDDED,
        rules.sizing_scenes.output,
    output:
        f"{OUT}/sizing.csv",
        f"{OUT}/sizes.csv",
        f"{OUT}/scenes.csv",
    params:
        **PARAMS,
    shell:
        f"python -m orelib.study unrestored {PROFILE} --results-dir {{params.results:q}}"


rule size_particles:
    input:
        rules.train.output.generator,
        rules.sizing_scenes.output,
    output:
        f"{OUT}/{{variant}}-seed{{seed}}/sizing.csv",
        f"{OUT}/{{variant}}-seed{{seed}}/sizes.csv",
    wildcard_constraints:
        seed=r"\d+",
    params:
        **PARAMS,
        run=f"{OUT}/{{variant}}-seed{{seed}}",
    threads: TRAINING_THREADS
    shell:
        f"python -m orelib.study size {PROFILE} --run {{params.run:q}} --results-dir {{params.results:q}}"


STUDY = [f"{OUT}/{variant.name}-seed{seed}" for variant in study(PROFILE) for seed in range(variant.seeds)]


rule study:
    input:
        rules.size_unrestored.output,
        [f"{run}/metrics.csv" for run in STUDY],
        [f"{run}/sizing.csv" for run in STUDY],


rule loss_curves:
    input:
        "notebooks/04_loss_curves.ipynb",
        RUNS,
    output:
        f"{FIGURES}/figure6_generator_loss.png",
        f"{FIGURES}/figure7_discriminator_loss.png",
        f"{FIGURES}/validation.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/04_loss_curves.ipynb",
    shell:
        papermill("04_loss_curves.ipynb", "04 loss curves", seed=SEED)


rule table3:
    input:
        "notebooks/05_table3.ipynb",
        RUNS,
    output:
        f"{OUT}/table3.csv",
        f"{FIGURES}/table3.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/05_table3.ipynb",
    shell:
        papermill("05_table3.ipynb", "05 Table 3", seed=SEED)


rule compare:
    input:
        "notebooks/06_compare.ipynb",
        GENERATORS,
    output:
        f"{FIGURES}/figure8_comparison.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/06_compare.ipynb",
    shell:
        papermill("06_compare.ipynb", "06 comparison", data=True, seed=SEED)


rule report:
    input:
        rules.table3.output,
        rules.compare.output,
        GENERATORS,
    output:
        f"{OUT}/report.html",
    params:
        **PARAMS,
    shell:
        f"echo '== {OUT}/report.html'; python -m orelib.report {PROFILE} --seed {SEED} --results-dir {{params.results:q}}"
        + (" --data-dir {params.data:q}" if DATA else "")
