"""pgweir.yaml and users.txt as the tests write them."""

import json


def merged(base, changes):
    """`changes` over `base`, mapping by mapping; anything else is replaced as a whole, and None takes a key out."""
    result = dict(base)
    for key, value in changes.items():
        both_are_mappings = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both_are_mappings else value
    return {key: value for key, value in result.items() if value is not None}


def _scalar(value):
    plain = isinstance(value, str) and value and value[0].isalnum() and not set(value) & set(":#'\"{}[],*&")
    return value if plain else json.dumps(value)


def yaml_text(value, indent=0):
    """Block style for mappings, flow style (JSON, which YAML understands) for lists."""
    lines = []
    for key, item in value.items():
        name = " " * indent + _scalar(key) + ":"
        if isinstance(item, dict) and item:
            lines.append(f"{name}\n{yaml_text(item, indent + 2)}")
        else:
            lines.append(f"{name} {json.dumps(item) if isinstance(item, (list, dict)) else _scalar(item)}\n")
    return "".join(lines)


def users_text(secrets):
    return "".join('"{}" "{}"\n'.format(*(part.replace('"', '""') for part in pair))
                   for pair in secrets.items())
