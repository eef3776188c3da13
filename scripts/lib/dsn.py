"""dsn.py URL: prints host, port, user, password and database of a PostgreSQL URL, a line each."""

import sys
from urllib.parse import parse_qs, unquote, urlsplit

FORM = "postgresql://user:password@host:port/database"


def parts_of(url):
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("it does not begin with postgresql://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if not parts.username or not parts.password:
        raise ValueError("user or password is missing: pgweir asks its clients for them, so it has to know them")
    tls = parse_qs(parts.query).get("sslmode", ["prefer"])[0]
    if tls in ("require", "verify-ca", "verify-full"):
        raise ValueError(f"sslmode={tls}: pgweir does not speak TLS to servers yet")
    user = unquote(parts.username)
    found = (parts.hostname, str(parts.port or 5432), user, unquote(parts.password),
             unquote(parts.path.lstrip("/")) or user)
    if any("\n" in part for part in found):
        raise ValueError("a part of it has a line break")
    return found


def main():
    try:
        print("\n".join(parts_of(sys.argv[1])))
    except ValueError as mistake:
        print(f"quickstart: this URL will not do: {mistake}. It looks like {FORM}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
