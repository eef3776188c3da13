"""The program behind scripts/bench, which has the manual."""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys

import benches
import services
from figures import print_failures
from system import BenchError, at_fixed_addresses, machine_facts, new_folder, remove_folder


def words(text):
    return tuple(word for word in text.split(",") if word)


def numbers(text):
    return tuple(int(word) for word in words(text))


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return value


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("benches", nargs="*", metavar="|".join([*benches.ALL, "all"]))
    parser.add_argument("--seconds", type=positive)
    parser.add_argument("--rounds", type=positive)
    parser.add_argument("--only", type=words, default=())
    parser.add_argument("--protocols", type=words, default=("simple", "extended", "prepared"))
    parser.add_argument("--clients", type=numbers)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--pgbouncer", metavar="PATH")
    parser.add_argument("--random-addresses", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    if any("=" not in text for text in options.also):
        parser.error("--also wants NAME=PATH")
    options.also = dict(text.split("=", 1) for text in options.also)
    options.benches = list(benches.ALL) if "all" in options.benches else options.benches or ["cpu"]
    check_names(parser, "bench", options.benches, benches.ALL)
    check_names(parser, "protocol", options.protocols, ("simple", "extended", "prepared"))
    check_names(parser, "pooler", options.only, [*benches.ALL["cpu"][1], *benches.WITH_STANDBYS, "pgweir-lazy", *options.also])
    return options


def check_names(parser, kind, names, known):
    for name in names:
        if name not in known:
            parser.error(f"no {kind} is called {name}; there are {', '.join(known)}")


def chosen(name, options):
    """The poolers that this bench wants and the operator too."""
    poolers = (*options.also, *benches.ALL[name][1])
    return [pooler for pooler in poolers if not options.only or pooler in options.only]


def print_facts(facts, versions):
    print(f"{facts['date']}: {facts['nproc']} × {facts['cpu']}, Linux {facts['kernel']}, load {facts['load']}, tree {facts['tree']}; "
          + ", ".join(f"{name} {version}" for name, version in versions.items()), flush=True)


def run(options, stack):
    """Lifecycle: what it starts, it pushes on the stack to be ended in reverse order."""
    facts = machine_facts()
    folder = new_folder()
    stack.callback(remove_folder, folder)
    postgres = services.Postgres(folder, () if options.random_addresses else at_fixed_addresses())
    stack.callback(postgres.stop)
    wanted = dict.fromkeys(pooler for name in options.benches for pooler in chosen(name, options))
    standbys = []
    if any(name in benches.WITH_STANDBYS for name in wanted):
        standbys = [services.Standby(folder, postgres, number) for number in (1, 2)]
    poolers = {name: services.make(name, folder, postgres.port, options, [postgres, *standbys]) for name in wanted}
    versions = {service.name: service.version() for service in (postgres, *poolers.values())}
    print_facts(facts, versions)
    postgres.prepare()
    for standby in standbys:
        stack.callback(standby.stop)
        standby.prepare()
    for pooler in poolers.values():
        pooler.postgres = postgres
        stack.callback(pooler.stop)
        pooler.start()

    report, failures = {"facts": facts, "versions": versions, "benches": {}}, 0
    for name in options.benches:
        samples = benches.ALL[name][0]([poolers[pooler] for pooler in chosen(name, options)], options)
        failures += print_failures(samples)
        sys.stdout.flush()
        report["benches"][name] = [dataclasses.asdict(sample) for sample in samples]
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
    return 1 if failures else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    with contextlib.ExitStack() as stack:
        try:
            return run(options, stack)
        except BenchError as failure:
            print(f"\nbench: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
