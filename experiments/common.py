"""What the experiments share: the program, the virtual environment with PyTorch, workers of both, results on disk and in a README."""

import csv
import json
import os
import pathlib
import platform
import re
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKER = ROOT / "experiments" / "torch_worker.py"
HOSTS = ROOT / "tests" / "cluster" / "hosts"
WORKLOADS = ["mlp-tiny", "mlp", "mlp-wide", "cnn", "resnet20", "gpt"]


def say(text):
    print(time.strftime("%H:%M:%S "), text, file=sys.stderr, flush=True)


def out_folder(name):
    folder = pathlib.Path(name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def add_options(parser, workloads):
    parser.add_argument("--lockstep", default=str(ROOT / "build/release/lockstep"), help="the program (default build/release/lockstep)")
    parser.add_argument("--venv", default=str(pathlib.Path.home() / ".cache/lockstep/pytorch"), metavar="DIR",
                        help="virtual environment with PyTorch; made where it is missing (default ~/.cache/lockstep/pytorch)")
    parser.add_argument("--workloads", default=workloads, help=f"default {workloads}")
    here = pathlib.Path(sys.argv[0]).resolve().parent
    parser.add_argument("--out", default=here, type=out_folder, metavar="DIR", help="for results, figures, tables (default: the experiment's)")


def python_with_torch(folder):
    """The interpreter of a virtual environment that has PyTorch (CPU) and matplotlib, which are installed where they are missing."""
    python = pathlib.Path(folder) / "bin" / "python"
    if not python.exists():
        say(f"making the virtual environment {folder}")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for module, options in [("torch", ["--index-url", "https://download.pytorch.org/whl/cpu"]), ("numpy", []), ("matplotlib", [])]:
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode != 0:
            say(f"installing {module}")
            pip = [python, "-m", "pip", "install", "--quiet", module]
            if subprocess.run([*pip, *options], check=False).returncode != 0:
                subprocess.run(pip, check=True)  # from the usual index, where the CPU's own cannot be reached
    return str(python)


def mpi_line(workers):
    """The words that start so many workers on this machine, as launch/mpi.sh has them; none for one worker."""
    if workers == 1:
        return []
    script = f". '{ROOT}/launch/mpi.sh'; mpi_line {workers}"
    return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def environment():
    return {**os.environ, "HWLOC_HIDE_ERRORS": "2", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def lockstep_lines(words):
    """The JSON objects that a benchmark prints. Raises LookupError where the program does not know the workload."""
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode == 2 and "there is no workload" in done.stderr:
        raise LookupError(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode} from {' '.join(map(str, words))}:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class TorchJob:
    """A Python script as the workers of one torch.distributed job.

    `place(rank)`: the words before a worker's command, such as those that lead to its host."""

    def __init__(self, python, script, workers, words, place=lambda rank: [], address="127.0.0.1", interface=None):
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        self.workers = []
        for rank in range(workers):
            env = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(workers), "MASTER_ADDR": address, "MASTER_PORT": str(port)}
            env.pop("OMP_NUM_THREADS", None)
            if interface:
                env["GLOO_SOCKET_IFNAME"] = interface
            output = subprocess.PIPE if rank == 0 else subprocess.DEVNULL
            log = None if os.environ.get("SHOW_TORCH") else subprocess.DEVNULL
            self.workers.append(subprocess.Popen([*place(rank), python, str(script), *words], env=env, text=True, stdin=subprocess.PIPE,
                                                 stdout=output, stderr=log))

    def poll(self):
        codes = [worker.poll() for worker in self.workers]
        failed = [code for code in codes if code]
        return failed[0] if failed else None if None in codes else 0

    def terminate(self):
        for worker in self.workers:
            worker.terminate()

    def wait(self):
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()


class TorchWorkers(TorchJob):
    """PyTorch's workers of one workload, which train for a while when they are told to and sleep meanwhile."""

    def __init__(self, python, workload, workers, threads, batch=0, variants="", once=0, **where):
        words = [workload, "--threads", str(threads), "--batch", str(batch), "--once", str(once)]
        super().__init__(python, WORKER, workers, [*words, *(["--variants", variants] if variants else [])], **where)
        self.tried = []

    def _line(self):
        line = self.workers[0].stdout.readline()
        if not line:
            self.terminate()
            raise RuntimeError("PyTorch's worker 0 ended")
        return json.loads(line)

    def choose(self):
        """Waits until the fastest variant is found; what it was."""
        while True:
            said = self._line()
            if "chosen" in said:
                return said
            self.tried.append(said)

    def fastest(self, number):
        tried = [trial for trial in self.tried if "ms" in trial]
        return [trial["variant"] for trial in sorted(tried, key=lambda trial: trial["ms"])[:number]]

    def result(self):
        """What a run with `once` told."""
        said = self._line()
        self.end()
        return said

    def block(self, seconds):
        """Milliseconds of each step of about so many seconds."""
        for worker in self.workers:
            worker.stdin.write(f"block {seconds}\n")
            worker.stdin.flush()
        return self._line()["ms"]

    def end(self):
        for worker in self.workers:
            if worker.poll() is None:
                try:
                    worker.stdin.write("quit\n")
                    worker.stdin.close()
                except BrokenPipeError:
                    pass
        self.wait()


def machine():
    """What the figures were taken on, in words."""
    model = "an unknown processor"
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release().split('-')[0]}"


def geometric_mean(values):
    return statistics.geometric_mean(values) if values else float("nan")


def write_csv(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def table(header, rows):
    """Markdown; the first column is left-aligned, the others right."""
    widths = [max(len(str(line[i])) for line in [header, *rows]) for i in range(len(header))]
    def line(cells):
        return "| " + " | ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))) + " |"
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def put_between_markers(readme, name, text):
    """Replaces what stands in the file between <!-- NAME --> and <!-- /NAME -->."""
    path = pathlib.Path(readme)
    before = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(before):
        raise RuntimeError(f"{readme} has no place for '{name}'")
    path.write_text(pattern.sub(lambda m: m.group(1) + "\n" + text + "\n\n" + m.group(2), before), encoding="utf-8")
