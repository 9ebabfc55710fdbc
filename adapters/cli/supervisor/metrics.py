"""Several roles' metrics as one text: each sample gets a label `role`, each family is described once.

Source: Prometheus text exposition format, version 0.0.4.
"""

import re
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COMMENT = re.compile(r"^# (?:HELP|TYPE) (\S+)")
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+(?: -?[0-9]+)?)$")


def merged(texts: Mapping[str, str]) -> str:
    """The merged text of `texts` by role. A line that is no sample and no description is left out."""
    comments: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for role, text in texts.items():
        family = ""
        for line in text.splitlines():
            comment = _COMMENT.match(line)
            if comment:
                family = comment[1]
                told = comments.setdefault(family, [])
                if not any(known.split(" ", 3)[:3] == line.split(" ", 3)[:3] for known in told):
                    told.append(line)
                continue
            sample = _SAMPLE.match(line)
            if sample is None:
                continue
            name, labels, value = sample[1], sample[2], sample[3]
            if not name.startswith(family):
                family = name
            pairs = f'role="{role}",{labels}' if labels else f'role="{role}"'
            samples.setdefault(family or name, []).append(f"{name}{{{pairs}}} {value}")
    lines: list[str] = []
    for family, values in samples.items():
        lines += comments.get(family, []) + values
    return "\n".join(lines) + "\n" if lines else ""


def own(ready: Mapping[str, bool], restarts: Mapping[str, int]) -> str:
    """The supervisor's own metrics."""
    lines = [
        "# HELP mintmark_role_ready Whether the role answers that it is ready.",
        "# TYPE mintmark_role_ready gauge",
    ]
    lines += [f'mintmark_role_ready{{role="{role}"}} {int(value)}' for role, value in ready.items()]
    lines += [
        "# HELP mintmark_role_restarts_total How often the role was started again.",
        "# TYPE mintmark_role_restarts_total counter",
    ]
    lines += [f'mintmark_role_restarts_total{{role="{role}"}} {count}' for role, count in restarts.items()]
    return "\n".join(lines) + "\n"
