"""``m3vit doctor``: what is installed, in which version, and what each absence disables."""

import argparse
import json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the findings; absences are no failure."""
    from m3vit.host.doctor import examine, render

    findings = examine()
    print(
        json.dumps([finding.to_dict() for finding in findings]) if args.json else render(findings)
    )
    return 0
