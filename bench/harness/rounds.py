"""Works against servers in turn, rounds interleaved: what one server meets on the machine, the next meets too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError
from tempfile import TemporaryDirectory

from harness.figures import Figures
from harness.plan import Plan
from harness.servers import DIRECT, INBOND, Server, available, server
from harness.upstream import upstream
from harness.work import Bench, NotOffered, Work

LAST_WORDS = 2000  # characters of a server's log that are told where it fails
FAILURES = (RuntimeError, OSError, ValueError, AssertionError, SubprocessError, HTTPException)


@dataclass
class Rounds:
    """One run of chosen works."""

    bench: Bench
    works: list[Work]
    figures: dict[str, Figures]
    after_round: Callable[[int], object]
    _warmed: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> None:
        """All rounds; a server that fails at a work is told of, and left out of that work from then on."""
        for work in self.works:
            missing = self.bench.left_out.keys() & set(work.servers)
            self.figures[work.name].notes |= {name: self.bench.left_out[name] for name in missing}
        for round_ in range(self.bench.plan.rounds):
            for work in self.works:
                if round_ < work.most_rounds:
                    self._one_round(work, round_)
            self.after_round(round_ + 1)

    def _one_round(self, work: Work, round_: int) -> None:
        names = [name for name in work.servers if name in self.bench.servers]
        turn = self.figures[work.name].rounds % len(names) if names else 0
        for name in (*names[turn:], *names[:turn]):
            if name not in self.figures[work.name].notes:
                self._one(work, self.bench.servers[name], round_)

    def _one(self, work: Work, to: Server, round_: int) -> None:
        figures, begun = self.figures[work.name], time.monotonic()
        try:
            self.bench.upstream.behave()
            if (work.name, to.name) not in self._warmed:
                work.warm(self.bench, to)
                self._warmed.add((work.name, to.name))
            sample = work.run(self.bench, to, round_)
        except NotOffered as why:
            figures.notes[to.name] = f"failed: {why}" if to.name == INBOND else str(why)  # inbond has to offer all
            figures.add(to.name, None)
        except FAILURES as error:
            figures.notes[to.name] = f"failed: {str(error).splitlines()[0][:200] if str(error) else error!r}"
            figures.add(to.name, None)
            print(f"{work.name}, {to.name}: {error}\n{_last_words(to)}", file=sys.stderr, flush=True)
        else:
            figures.add(to.name, sample)
            passed = time.monotonic() - begun
            print(f"{round_ + 1} {work.name}, {to.name}: {sample.value:,.3f} {work.unit} ({passed:.0f} s)", flush=True)


def measured(
    works: list[Work],
    plan: Plan,
    only_servers: Iterable[str] | None,
    figures: dict[str, Figures],
    after_round: Callable[[int], object],
) -> None:
    """Starts what the works need, and runs them; what is seen goes to `figures`. `after_round` hears how many are
    whole."""
    for work in works:
        figures.setdefault(work.name, _empty(work))
    with TemporaryDirectory(prefix="inbond-bench-") as scratch:
        place = Path(scratch)
        place.chmod(0o755)  # nginx's worker looks into it
        with upstream(plan, {part for work in works for part in work.parts}, place) as up:
            bench = Bench(plan=plan, upstream=up, place=place)
            with _running(bench, works, only_servers):
                Rounds(bench, works, figures, after_round).run()


@contextmanager
def _running(bench: Bench, works: list[Work], only: Iterable[str] | None) -> Iterator[None]:
    """The servers that any of the works asks for. inbond always: the static server's bytes are its answers."""
    wanted = tuple(dict.fromkeys(name for work in works for name in work.servers))
    chosen = [name for name in available(wanted) if only is None or name in {INBOND, *only}]
    shared = {name for work in works if not work.own_servers for name in work.servers}
    with ExitStack() as stack:
        for name in chosen:
            if name in shared or name == DIRECT:
                try:
                    bench.servers[name] = stack.enter_context(server(name, bench.upstream, bench.place))
                except FAILURES as error:
                    if name == INBOND:
                        raise
                    bench.left_out[name] = f"did not start: {str(error).splitlines()[0][:200]}"
            else:
                bench.servers[name] = Server(name=name, origin="")
        yield


def _last_words(to: Server) -> str:
    """The end of a server's log, which goes with the run."""
    return to.running.log.read_text(errors="replace")[-LAST_WORDS:] if to.running is not None else ""


def _empty(work: Work) -> Figures:
    return Figures(
        work=work.name, group=work.group, unit=work.unit, reference=work.reference, less_is_better=work.less_is_better,
        told=work.told,
    )  # fmt: skip
