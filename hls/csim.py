"""C simulation with g++: compile a project once, call its kernel any number of times."""

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from m3vit.hls.headers import ap_types, compiler
from m3vit.hls.layer import HlsLayer, Kind
from m3vit.hls.project import MEMORY, read_project
from m3vit.hls.reference import LayerResult
from m3vit.hw.errors import ToolError
from m3vit.hw.formats import Int32

FLAGS = ("-std=c++14", "-O1", "-pthread", "-DM3VIT_BOUNDED", "-Wno-unknown-pragmas")
_LABEL = 16


@dataclass(frozen=True, kw_only=True)
class Csim:
    """A compiled kernel.  ``timeout_s`` limits one run of all calls."""

    layer: HlsLayer
    project: Path
    program: Path
    timeout_s: float = 600.0

    def run(self, images: Sequence[Int32], tasks: Sequence[int]) -> list[LayerResult]:
        """Call the kernel once a pair of image [T, d] and task, all in one process.

        Raises:
            ToolError: the simulation deadlocked, crashed, or read or left what it should not.
        """
        with TemporaryDirectory() as folder:
            work = Path(folder)
            dtype = np.int8 if self.layer.kind is Kind.GATE else np.int32
            (work / "in").write_bytes(np.stack(images).astype(dtype).tobytes())
            files = [self.project / MEMORY, work / "in", work / "out", work / "probe"]
            self._call([*map(str, files), *map(str, tasks)])
            outputs = np.fromfile(work / "out", np.int32).reshape(len(tasks), -1)
            probes = _probes((work / "probe").read_bytes(), len(tasks))
        return [self._result(output, probe) for output, probe in zip(outputs, probes, strict=True)]

    def _call(self, arguments: Sequence[str]) -> None:
        try:
            done = subprocess.run(
                [str(self.program), *arguments],
                capture_output=True,
                text=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"C simulation of {self.layer.name} did not end in {self.timeout_s:g} s"
            ) from error
        said = " ".join((done.stdout + done.stderr).split())
        if done.returncode or said:
            raise ToolError(
                f"C simulation of {self.layer.name} ended with code {done.returncode}: {said}"
            )

    def _result(self, output: Int32, probe: dict[str, Int32]) -> LayerResult:
        layer = self.layer
        if layer.kind is Kind.GATE:
            records = output.view(np.uint32).reshape(layer.tokens, layer.top_k)
            chosen = {"experts": records & 0xFF, "weights": records >> 16}
            return LayerResult(stages={k: v.astype(np.int32) for k, v in chosen.items()})
        stages = {name: values.reshape(layer.tokens, -1) for name, values in probe.items()}
        return LayerResult(stages={**stages, "out": output.reshape(layer.tokens, layer.width)})


def _probes(data: bytes, calls: int) -> list[dict[str, Int32]]:
    """The probe file, cut where a call's first array comes again."""
    results: list[dict[str, Int32]] = []
    at = 0
    while at < len(data):
        name = data[at : at + _LABEL].rstrip(b"\0").decode()
        count = int.from_bytes(data[at + _LABEL : at + _LABEL + 4], "little")
        start = at + _LABEL + 4
        if not results or name in results[-1]:
            results.append({})
        results[-1][name] = np.frombuffer(data, np.int32, count, start)
        at = start + 4 * count
    return results or [{} for _ in range(calls)]


def compile_project(layer: HlsLayer, project: Path, flags: Sequence[str] = FLAGS) -> Csim:
    """Compile the generated ``project`` of ``layer``; an unchanged one is not compiled again.

    Raises:
        ToolError: g++ or hls4ml is missing, or the compiler refused.
        PackageError: ``project`` was not generated.
    """
    top = read_project(project).top
    kernel = project / f"{top.replace('m3vit_', 'top_')}.cpp"
    program = project / f"csim-{_key(project, flags)}"
    if not program.exists():
        # One translation unit: the ap_types take longer to read than our sources.
        both = ["-include", str(kernel), str(project / "testbench.cpp")]
        command = [compiler(), *flags, "-I", str(ap_types()), *both]
        partial = program.with_suffix(".part")
        done = subprocess.run(
            [*command, "-o", str(partial)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            first = next((line for line in done.stderr.splitlines() if "error" in line), "")
            raise ToolError(f"g++ refused {layer.name}: {first or done.stderr[:300]}")
        partial.replace(program)
    return Csim(layer=layer, project=project, program=program)


def _key(project: Path, flags: Sequence[str]) -> str:
    total = hashlib.sha256(" ".join(flags).encode())
    for file in sorted([*project.glob("*.h"), *project.glob("*.cpp")]):
        total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()[:16]
