#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the shell steps of README's GitHub-Actions and GitLab examples, word for word, in empty folders: with the
tarball of scripts/package.sh behind a file:// address, a baseline of a small run and a model file.

    check_ci_examples.py --tarball keju-out/keju-…tar.gz --keju build/release/keju --model FILE.gguf
                         [--candidate FILE.gguf] [--root FOLDER]

--root: the root of a bare system (debootstrap --variant=minbase bookworm FOLDER) in which the steps are run with
chroot, so that nothing of this machine helps them. Without it the GitLab example's apt-get line is left out, and
said so. What a runner does itself (`uses:`, `image:`, artifacts) is done here in its place. Exits 77 (skipped)
without PyYAML.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("skipped: found no PyYAML")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parent.parent


def examples():
    """The two fenced YAML blocks after the sentence that says that in CI nothing is compiled."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin = text.index("In CI nothing is compiled")
    blocks = re.findall(r"```yaml\n(.*?)```", text[begin:], re.S)
    if len(blocks) < 2:
        sys.exit("README.md: found fewer than two YAML examples of CI, need GitHub's and GitLab's")
    return yaml.safe_load(blocks[0]), yaml.safe_load(blocks[1])


class Place:
    """An empty folder, in a bare system or here, with what a checkout and artifacts bring."""

    def __init__(self, options, name):
        self.root = pathlib.Path(options.root).resolve() if options.root else None
        base = self.root / "tmp" if self.root else pathlib.Path(tempfile.gettempdir())
        self.outside = pathlib.Path(tempfile.mkdtemp(prefix=f"keju-{name}-", dir=base))
        self.inside = pathlib.Path("/") / self.outside.relative_to(self.root) if self.root else self.outside
        self.files = self.outside / "elsewhere"  # what the network would serve
        self.work = self.outside / "work"
        for folder in (self.files, self.work / "ci", self.work / "model"):
            folder.mkdir(parents=True)
        shutil.copy(options.tarball, self.files)
        shutil.copy(options.candidate, self.work / "model" / "candidate.gguf")
        shutil.copy(options.baseline, self.work / "ci" / "baseline.json")
        self.tarball = f"file://{self.inside}/elsewhere/{pathlib.Path(options.tarball).name}"

    def shell(self, script, **variables):
        """As the runners do: a fresh bash that stops at the first error. No variable of this shell goes along."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}
        environment.update(variables)
        words = ["env", "-i", *(f"{k}={v}" for k, v in environment.items())]
        inner = f"cd {self.inside}/work && {{ {script}\n}}"
        command = [*words, "bash", "-eo", "pipefail", "-c", inner]
        if self.root:
            command = ["chroot", str(self.root), *command]
        print(f"$ {script.strip()}", flush=True)
        return subprocess.run(command, check=False).returncode

    def expect(self, *names):
        for name in names:
            file = self.work / name
            if not file.exists() or (file.is_file() and file.stat().st_size == 0):
                sys.exit(f"{name}: found nothing there after the steps, need what the example uploads")

    def close(self):
        shutil.rmtree(self.outside)


def run_github(job, options):
    place = Place(options, "github")
    code = 0
    for step in job["jobs"]["gate"]["steps"]:
        if "run" not in step:
            continue  # checkout and artifacts: done by Place
        if code != 0 and "always()" not in str(step.get("if", "")):
            continue
        script = re.sub(r"\$\{\{\s*vars\.KEJU_TARBALL\s*\}\}", place.tarball, step["run"])
        if "${{" in script:
            sys.exit(f"{script}: found an expression that this script does not know")
        code = place.shell(script, GITHUB_STEP_SUMMARY=f"{place.inside}/work/summary.md") or code
    place.expect("gate.xml", "gate.md", "summary.md")
    place.close()
    return code


def run_gitlab(job, options):
    place = Place(options, "gitlab")
    lines = [*job["gate"]["before_script"], *job["gate"]["script"]]
    if not options.root:
        print("left out, no --root:", *[line for line in lines if line.startswith("apt-get")])
        lines = [line for line in lines if not line.startswith("apt-get")]
    code = place.shell("\n".join(lines), KEJU_TARBALL=place.tarball)
    place.expect("gate.md", "gate.xml")
    place.close()
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarball", required=True)
    parser.add_argument("--keju", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--candidate", help="a better model than --model; by default the same, which is never run")
    parser.add_argument("--root")
    options = parser.parse_args()
    options.candidate = options.candidate or options.model
    github, gitlab = examples()
    with tempfile.TemporaryDirectory(prefix="keju-baseline-") as folder:
        options.baseline = f"{folder}/baseline.json"
        subprocess.run([options.keju, "run", "--model", options.model, "--suite", "keju-completion",
                        "--out", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([options.keju, "gate", "--baseline", f"{folder}/run", "--write-baseline", options.baseline],
                       check=True, stdout=subprocess.DEVNULL)
        # GitLab's first: it installs curl, which GitHub's own image of Ubuntu 22.04 has and a bare system has not.
        codes = {"GitLab": run_gitlab(gitlab, options)}
        codes["GitHub Actions"] = run_github(github, options)
    for name, code in codes.items():
        print(f"{name}: exit {code}")
    return 0 if set(codes.values()) == {0} else 1


if __name__ == "__main__":
    sys.exit(main())
