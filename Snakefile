# The dependencies of all results. Called by the Makefile; also by hand: snakemake --cores 2 --config profile=smoke
# On a cluster: snakemake --profile profiles/slurm --config profile=cpu -- study; see docs/running.md.
# Most rules run one notebook headless; 00, 03 and 04 leave nothing that others read, and have none.
#
# Every file that a rule reads is its declared input, because on a network drive a file may be seen late elsewhere. But
# Snakemake deletes the outputs of a rule before it runs the rule again, and when it fails. So a training declares an
# empty file, ``finished``; then the rule ``keep``, which does nothing, declares the files that it has left. ``update``
# protects them, and the scenes: Snakemake makes a copy of such files, and puts it back if the rule fails.

import re
import shlex
import sys
from hashlib import sha256
from pathlib import Path

from snakemake.exceptions import WorkflowError

from orelib.config import PUBLISHED, Experiment, parse_changes
from orelib.data.pairs import folder_state
from orelib.runs import Folders
from orelib.study.variants import all_variants
from orelib.utils.checksums import DamagedFileError
from orelib.utils.devices import gpus_given
from orelib.utils.provenance import is_whole


def text(name, default):
    """Returns a folder from --config. Snakemake takes 007 and 2024_05_12 there for numbers, but not in a list."""
    value = config.get(name) or default
    if isinstance(value, list):
        value = value[0] or default
    if not isinstance(value, str):
        raise WorkflowError(f"{name} was read as the number {value}: write --config {name}='[\"...\"]'")
    return str(Path(value).absolute()) if value.startswith("-") else value  # or commands would take it for an option


def whole_number(name, default, least):
    value = config.get(name, default)
    if type(value) is not int or value < least:
        raise WorkflowError(f"{name}={value} must be a whole number from {least}")
    return value


def without_braces(folder):
    """Returns a path of a folder without {name}, which Snakemake takes for a wildcard and which cannot be escaped."""
    if not re.search("[{}]", folder):
        return folder
    link = Path(".snakemake", "results", sha256(folder.encode()).hexdigest()[:12])
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(Path(folder).absolute())
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(link)


PROFILE = config.get("profile", "quick")
SEED = config.get("seed", 0)
RESULTS = str(Path(text("results_dir", "results")).expanduser())
DATA = text("data_dir", "")  # empty: the embedded scenes
Folders(PROFILE, DATA or None, RESULTS)  # refuses folders that hold one another, before anything is made
EXPERIMENT = Experiment(PROFILE, seed=SEED)
SHARDS = whole_number("shards", 1, least=1)  # into so many jobs the rendering of the scenes is divided

# What a job asks for. Threads are fixed: for a training because another number rounds otherwise, and for rendering
# because a cluster has no number of cores. Minutes and MB are several times what was seen, so that slow cores suffice;
# those of ``paper`` are guesses. A job that failed asks for more when it is tried again.
TRAINING_THREADS, RENDERING_THREADS = EXPERIMENT.threads, 4
MINUTES = {"smoke": 15, "quick": 90, "cpu": 150, "restorer": 900, "paper": 4320}[PROFILE]  # of a training
RENDERING_MINUTES = {"smoke": 10, "quick": 20, "cpu": 30, "restorer": 60, "paper": 480}[PROFILE]
LARGE = PROFILE == "paper"  # its scenes have 1900 x 2048 px
GPU = whole_number("gpu", int(LARGE or gpus_given() > 0), least=0)  # of a training; 0: the processor


def growing(amount):
    """Returns a resource that grows with every attempt."""
    return lambda wildcards, attempt: amount * attempt


def gpu_of(wildcards):
    return 0 if parse_changes(changes_of(wildcards)).get("device") == "cpu" else GPU


OUT = f"{without_braces(RESULTS)}/{PROFILE}"
FIGURES = f"{OUT}/figures"
PYTHON = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
PAPERMILL = f"{PYTHON} -m orelib.utils.execute"
SCENES, SPLITS = f"data/{PROFILE}", ("train", "val", "test")
EMBEDDED = [] if DATA else [f"{SCENES}/{name}" for name in ("manifest.json", *SPLITS)]
LASTING = ("generator.safetensors", "metrics.csv", "baselines.csv")  # of a finished run
# What others read of it; snapshots.json, which runs of earlier versions lack, is written before them.
KEPT = (*LASTING, "config.json", "provenance.json", "history.csv", "validation.csv")


def stands(stamp, files):
    """Returns whether all files that an empty file stands for exist and are undamaged."""
    try:
        return all(is_whole(Path(stamp).parent / name) for name in files)
    except DamagedFileError:  # the next reader of the file reports it
        return True


# Somebody may have deleted or damaged the files that these empty files stand for.
for stamp in Path(OUT).glob("*-seed*/finished"):
    if not stands(stamp, LASTING):
        stamp.unlink()
if not all(Path(name).exists() for name in (f"{OUT}/manifest.csv", f"{FIGURES}/figure5_pairs.png", *EMBEDDED)):
    Path(OUT, "checked").unlink(missing_ok=True)


def changes_of(wildcards):
    """Returns the changes in the name of a run, for instance improved+ssim_window=7."""
    return " ".join(wildcards.variant.split("+")[1:])


def changed(wildcards):
    """Returns the notebook's parameter for changes, if there are any."""
    return ["-r", "changes", changes_of(wildcards)] if changes_of(wildcards) else []


def method_of(wildcards):
    return wildcards.variant.partition("+")[0]


def kept(*runs):
    """Returns the files of runs that others read."""
    return [f"{run}/{file}" for run in runs for file in KEPT]


def scenes_of(wildcards):
    """Returns the data set of a training, if the changes make it another one than the profile's."""
    scenes = Folders(PROFILE, changes=changes_of(wildcards)).data.name
    return [] if DATA or scenes == PROFILE else [f"data/{scenes}/{name}" for name in ("manifest.json", *SPLITS)]


# No job takes a GPU that it did not ask for.
WITHOUT_GPU = "export CUDA_VISIBLE_DEVICES=; "
WITH_GPU = 'if [ "{resources.gpu}" = 0 ]; then export CUDA_VISIBLE_DEVICES=; fi; '


def papermill(notebook, *, data=False, changed=False, gpu=WITHOUT_GPU, **parameters):
    """Returns the command that executes one notebook; ``-r`` keeps text as text."""
    command = f"{PAPERMILL} notebooks/{notebook} {{params.executed:q}} -r profile {PROFILE} -r results_dir {{params.results:q}}"
    command += " -r data_dir {params.data:q}" if data and DATA else ""
    command += "".join(f" -p {name} {value}" for name, value in parameters.items())
    command += " {params.changed:q}" if changed else ""
    return f"echo == {{params.title:q}}; mkdir -p {{params.notebooks:q}}; {gpu}{command}"


# What a result depends on besides its input files; Snakemake runs a rule again when one of them changes. They are
# functions, because Snakemake would look for wildcards in a text.
PARAMS = {"results": lambda _: RESULTS, "data": lambda _: DATA, "notebooks": f"{OUT}/notebooks", "seed": SEED}


rule all:
    default_target: True
    input:
        f"{OUT}/table3.csv",
        f"{FIGURES}/mosaic.png",
        f"{FIGURES}/figure6_generator_loss.png",
        f"{FIGURES}/figure8_comparison.png",
        f"{OUT}/report.html",


rule render:
    # A part of the scenes; in one folder, because the bytes do not depend on who renders.
    output:
        touch(f"{SCENES}/parts/{{part}}_of_{SHARDS}"),
    threads: RENDERING_THREADS
    resources:
        mem_mb=growing(8000 if LARGE else 3000),
        runtime=growing(RENDERING_MINUTES),
        disk_mb=40000 // SHARDS if LARGE else 2000,
    shell:
        f"{PYTHON} -m orelib.study scenes {PROFILE} --workers {{threads}} --shard {{wildcards.part}}/{SHARDS}"


rule scenes:
    # All scenes, or those that are missing or damaged after their parts were rendered.
    input:
        expand(rules.render.output, part=range(1, SHARDS + 1)) if SHARDS > 1 else [],
    output:
        f"{SCENES}/manifest.json",
        update(directory([f"{SCENES}/{split}" for split in SPLITS])),
    threads: RENDERING_THREADS
    resources:
        mem_mb=growing(8000 if LARGE else 3000),
        runtime=growing(RENDERING_MINUTES),
        disk_mb=40000 if LARGE else 2000,
    shell:
        f"{PYTHON} -m orelib.study scenes {PROFILE} --workers {{threads}}"


rule dataset:
    # First, before anything is changed, it refuses other images than the ones that runs in this folder were trained on.
    input:
        "notebooks/01_dataset.ipynb",
        EMBEDDED,
    output:
        touch(f"{OUT}/checked"),
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/01_dataset.ipynb",
        title=lambda _: f"01 data set: {DATA or PROFILE}",
        photographs=lambda _: folder_state(Path(DATA).expanduser()) if DATA else "",
    resources:
        runtime=growing(RENDERING_MINUTES),
        mem_mb=growing(8000 if LARGE else 2000),
    shell:
        f"{PYTHON} -m orelib.study same-images {PROFILE} --results-dir={{params.results:q}} --data-dir={{params.data:q}}; "
        + papermill("01_dataset.ipynb", data=True)


rule mosaic:
    input:
        "notebooks/02_mosaic.ipynb",
        rules.dataset.output,
        EMBEDDED,
    output:
        f"{FIGURES}/mosaic.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/02_mosaic.ipynb",
        title="02 Mosaic samples",
    shell:
        papermill("02_mosaic.ipynb", data=True, seed=SEED)


rule train:
    input:
        "notebooks/05_training.ipynb",
        rules.dataset.output,
        EMBEDDED,
        scenes_of,
    output:
        touch(f"{OUT}/{{variant}}-seed{{seed}}/finished"),
    wildcard_constraints:
        seed=r"\d+",
    params:
        **{**PARAMS, "seed": "{seed}"},
        executed=f"{OUT}/notebooks/05_training-{{variant}}-seed{{seed}}.ipynb",
        title="05 training {variant}, seed {seed}",
        method=method_of,
        changed=changed,
    threads: TRAINING_THREADS
    resources:
        gpu=gpu_of,
        mem_mb=growing(16000 if LARGE else 2500),
        runtime=growing(MINUTES),
        disk_mb=20000 if LARGE else 1000,
    shell:
        papermill(
            "05_training.ipynb",
            data=True,
            changed=True,
            gpu=WITH_GPU,
            method="{params.method}",
            seed="{wildcards.seed}",
        )


rule keep:
    input:
        rules.train.output,
    output:
        update([f"{OUT}/{{variant}}-seed{{seed}}/{file}" for file in KEPT]),
    wildcard_constraints:
        seed=r"\d+",
    localrule: True
    shell:
        ":"


RUNS = kept(*(f"{OUT}/{method}-seed{SEED}" for method in PUBLISHED))


rule changed_scenes:
    output:
        f"data/{PROFILE}+{{changes}}/manifest.json",
        update(directory([f"data/{PROFILE}+{{changes}}/{split}" for split in SPLITS])),
    wildcard_constraints:
        changes=r"[^/]+",
    params:
        changes=lambda wildcards: wildcards.changes.replace("+", " "),
    threads: RENDERING_THREADS
    resources:
        mem_mb=growing(8000 if LARGE else 3000),
        runtime=growing(RENDERING_MINUTES),
    shell:
        f"{PYTHON} -m orelib.study scenes {PROFILE} --changes={{params.changes:q}} --workers {{threads}}"


rule sizing_scenes:
    input:
        rules.dataset.output,
    output:
        f"{SCENES}/sizing/manifest.json",
        update(directory([f"{SCENES}/sizing/{split}" for split in ("val", "test")])),
    threads: RENDERING_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    shell:
        f"{PYTHON} -m orelib.study sizing-scenes {PROFILE} --workers {{threads}}"


rule size_without_runs:
    input:
        rules.dataset.output,
        EMBEDDED,
        rules.sizing_scenes.output,
    output:
        f"{OUT}/sizing.csv",
        f"{OUT}/sizes.csv",
        f"{OUT}/scenes.csv",
    params:
        **PARAMS,
    resources:
        runtime=growing(120),
    shell:
        f"{PYTHON} -m orelib.study size-without-runs {PROFILE} --results-dir={{params.results:q}}"


rule size_particles:
    input:
        rules.keep.output,
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
    resources:
        gpu=gpu_of,
        runtime=growing(60),
    shell:
        f"{WITH_GPU}{PYTHON} -m orelib.study size {PROFILE} --run={{params.run:q}} --results-dir={{params.results:q}}"


STUDY = [f"{OUT}/{variant.name}-seed{seed}" for variant in all_variants(PROFILE) for seed in range(variant.seeds)]


rule study:
    input:
        rules.size_without_runs.output,
        kept(*STUDY),
        [f"{run}/sizing.csv" for run in STUDY],


rule loss_curves:
    input:
        "notebooks/06_loss_curves.ipynb",
        RUNS,
    output:
        f"{FIGURES}/figure6_generator_loss.png",
        f"{FIGURES}/figure7_discriminator_loss.png",
        f"{FIGURES}/validation.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/06_loss_curves.ipynb",
        title="06 loss curves",
    shell:
        papermill("06_loss_curves.ipynb", seed=SEED)


rule table3:
    input:
        "notebooks/07_table3.ipynb",
        RUNS,
    output:
        f"{OUT}/table3.csv",
        f"{FIGURES}/table3.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/07_table3.ipynb",
        title="07 Table 3",
    shell:
        papermill("07_table3.ipynb", seed=SEED)


rule compare:
    input:
        "notebooks/08_compare.ipynb",
        RUNS,
        EMBEDDED,
    output:
        f"{FIGURES}/figure8_comparison.png",
    params:
        **PARAMS,
        executed=f"{OUT}/notebooks/08_compare.ipynb",
        title="08 comparison",
    shell:
        papermill("08_compare.ipynb", data=True, seed=SEED)


rule report:
    input:
        rules.table3.output,
        rules.compare.output,
        RUNS,
        EMBEDDED,
    output:
        f"{OUT}/report.html",
    params:
        **PARAMS,
        title=lambda _: f"{RESULTS}/{PROFILE}/report.html",
    shell:
        f"echo == {{params.title:q}}; {PYTHON} -m orelib.views.report {PROFILE} --seed {SEED} --results-dir={{params.results:q}}"
        + (" --data-dir={params.data:q}" if DATA else "")
