"""Rounds, ratios and tables."""

import dataclasses
import random
import statistics
import sys

from client import ServerError
from system import BenchError


@dataclasses.dataclass
class Sample:
    """One measurement: `cell` says under what conditions, `values` holds the figures by name."""

    cell: tuple
    pooler: str
    round: int
    values: dict
    error: str = ""


def interleaved(cells, services, rounds, measure, renew=lambda service: None):
    """measure(service, *cell) for each service in each cell, shuffled anew in each round, which begins with renew(service).
    A failure is a sample too."""
    samples = []
    for number in range(1, rounds + 1):
        broken = {service: _failure(renew, service) for service in services}
        for cell in cells:
            candidates = [service for service in services if takes_part(service, cell)]
            for service in random.sample(candidates, len(candidates)):
                _progress(f"round {number} of {rounds}: {' '.join([*map(str, cell), service.name])}")
                if broken[service]:
                    samples.append(Sample(cell, service.name, number, {}, broken[service]))
                else:
                    samples.append(_sample(cell, service, number, measure))
    _progress("")
    return samples


def _progress(text):
    """One line that changes, for somebody who watches; nothing in a log."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def takes_part(service, cell):
    """A cell whose first word is a protocol is for those that can speak it."""
    return not cell or cell[0] not in ("simple", "extended", "prepared") or cell[0] in service.protocols


FAILURES = (BenchError, ServerError, OSError)


def _failure(work, service):
    """What went wrong, or an empty text."""
    try:
        work(service)
    except FAILURES as failure:
        return str(failure) or type(failure).__name__
    return ""


def _sample(cell, service, number, measure):
    try:
        return Sample(cell, service.name, number, measure(service, *cell))
    except FAILURES as failure:
        service.revive()
        return Sample(cell, service.name, number, {}, str(failure) or type(failure).__name__)


def of(samples, cell, pooler):
    return [sample for sample in samples if (sample.cell, sample.pooler) == (cell, pooler)]


def median(samples, name):
    values = [sample.values[name] for sample in samples if name in sample.values]
    return statistics.median(values) if values else None


def ratios(samples, reference, name):
    """Of each round, to the reference's figure of the same round."""
    others = {sample.round: sample.values[name] for sample in reference if sample.values.get(name)}
    return [sample.values[name] / others[sample.round]
            for sample in samples if name in sample.values and sample.round in others]


def reference_of(samples, cell):
    """PgBouncer; HAProxy where PgBouncer cannot take part; else pgweir without what is measured; else nobody."""
    return next((name for name in ("pgbouncer", "haproxy", "pgweir-off", "pgweir-1")
                 if any(not sample.error for sample in of(samples, cell, name))), None)


def ratio_text(values):
    if not values:
        return "-"
    middle = f"{statistics.median(values):.2f}"
    return middle if min(values) == max(values) else f"{middle} ({min(values):.2f}–{max(values):.2f})"


def number_text(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def comparison(samples, columns, cell_names):
    """Rows of a table: the conditions, the pooler, the medians; ratios to the reference for columns that want one.

    A column is (name of the figure, heading with unit, digits, heading of its ratio or None).
    """
    head = [*cell_names, "pooler"]
    for _, heading, _, ratio_heading in columns:
        head += [heading] + ([ratio_heading] if ratio_heading else [])
    has_ratios = any(ratio_heading for *_, ratio_heading in columns)
    rows = [head + (["ratio to"] if has_ratios else [])]
    for cell in dict.fromkeys(sample.cell for sample in samples):
        reference = reference_of(samples, cell)
        for pooler in sorted({sample.pooler for sample in samples if sample.cell == cell}, key=_rank):
            mine, beside = of(samples, cell, pooler), of(samples, cell, reference)
            row = [*map(str, cell), pooler]
            for name, _, digits, ratio_heading in columns:
                row.append(number_text(median(mine, name), digits))
                if ratio_heading:
                    row.append(ratio_text(ratios(mine, beside, name)))
            rows.append(row + ([reference or "-"] if has_ratios else []))
    return rows


def _rank(pooler):
    """Ours first, by name."""
    others = ("pgbouncer", "haproxy", "pgpool")
    return others.index(pooler) if pooler in others else -1, pooler


def print_table(title, rows, notes=()):
    print(f"\n{title}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        texts = [text.rjust(width) if _is_figure(rows, column) else text.ljust(width)
                 for column, (text, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(texts).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    for note in notes:
        print(f"  {note}")


def _is_figure(rows, column):
    return all(row[column][:1].isdigit() or row[column][:1] in "-+" for row in rows[1:])


def print_failures(samples):
    failed = [sample for sample in samples if sample.error]
    for sample in failed:
        print(f"  FAILED: {sample.pooler} {' '.join(map(str, sample.cell))}, round {sample.round}: {sample.error}")
    return len(failed)
