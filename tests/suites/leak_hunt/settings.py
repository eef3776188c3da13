"""Settings that the clients of the hunt change, and the ways to change one."""

from .steps import Step, literal

# Values are as SHOW says them.
PLAIN = {
    "work_mem": ("1MB", "2MB", "3MB"),
    "maintenance_work_mem": ("2MB", "3MB"),
    "search_path": ("pg_catalog", "public, pg_temp", "pg_catalog, public", "pg_temp, public"),
    "lock_timeout": ("1min", "2min"),
    "statement_timeout": ("10min", "20min"),
    "idle_in_transaction_session_timeout": ("11min", "12min"),
    "enable_seqscan": ("on", "off"),
    "extra_float_digits": ("0", "2"),
    "bytea_output": ("hex", "escape"),
    "array_nulls": ("on", "off"),
    "transform_null_equals": ("on", "off"),
    "quote_all_identifiers": ("on", "off"),
    "row_security": ("on", "off"),
    "synchronous_commit": ("on", "off", "local"),
    "plan_cache_mode": ("auto", "force_generic_plan", "force_custom_plan"),
    "default_transaction_isolation": ("read committed", "repeatable read"),
    "random_page_cost": ("3", "2.5"),
    # what the server reports by itself
    "application_name": ("web", "worker", "o'brien"),
    "DateStyle": ("SQL, DMY", "German, DMY", "ISO, YMD"),
    "IntervalStyle": ("postgres", "iso_8601", "sql_standard"),
    "TimeZone": ("UTC", "Asia/Tokyo", "America/New_York"),
}
# These change how statements are read or what they may do, so each has its transaction for itself.
SOLO = {
    "standard_conforming_strings": ("on", "off"),
    "default_transaction_read_only": ("on", "off"),
    "client_encoding": ("UTF8", "LATIN1"),
}
# Only superusers may.
OF_SUPERUSERS = {
    "session_replication_role": ("replica", "local", "origin"),
    "log_min_duration_statement": ("1h", "2h"),
}
# The same, and nobody else may even see it.
HIDDEN_FROM_OTHERS = {"dynamic_library_path": ("$libdir/a", "$libdir/b")}
# Only for clients without temporary tables: it cannot be changed behind their first use.
BEFORE_TEMPORARY = {"temp_buffers": ("800kB", "1600kB")}
REPORTED = ("application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "is_superuser",
            "session_authorization", "standard_conforming_strings", "default_transaction_read_only",
            "server_encoding", "integer_datetimes", "server_version", "in_hot_standby")
LISTS = ("search_path", "DateStyle")
BOOLEANS = [name for name, values in PLAIN.items() if set(values) == {"on", "off"}]

# Names that many clients use, each for values of its own. The last has a value by ALTER ROLE.
SHARED = ("app.tenant", "app.user_id", "rls.tenant", "app.region")
ROLES = ("clerk", "auditor")


def own_names(number):
    return f"app_{number}.tenant", f"app_{number}.deep.er", f"fn_{number}.secret"


def built_name(number):
    """Set by a function that puts the name together: no text has it, so it may get lost."""
    return f"built_{number}.hidden"


def functions(clients):
    """What has to be in the database."""
    yield ("CREATE FUNCTION set_any(n text, v text, l bool) RETURNS text LANGUAGE plpgsql AS "
           "$$BEGIN RETURN set_config(n, v, l); END$$")
    yield ("CREATE FUNCTION set_rls_tenant(v text) RETURNS void LANGUAGE plpgsql AS "
           "$$BEGIN PERFORM set_config('rls.tenant', v, false); END$$")
    yield ("CREATE FUNCTION set_built(i int, v text) RETURNS void LANGUAGE plpgsql AS "
           "$$BEGIN PERFORM set_config(format('built_%s.%s', i, 'hidden'), v, false); END$$")
    yield ("CREATE PROCEDURE set_and_commit(a text, b text) LANGUAGE plpgsql AS $$BEGIN "
           "PERFORM set_config('app.tenant', a, false); COMMIT; "
           "PERFORM set_config('app.tenant', b, false); ROLLBACK; END$$")
    yield ("CREATE FUNCTION with_settings() RETURNS text LANGUAGE plpgsql SET work_mem = '9MB' AS "
           "$$BEGIN RETURN current_setting('work_mem'); END$$")
    yield ("CREATE FUNCTION lock_it(k bigint) RETURNS void LANGUAGE plpgsql AS "
           "$$BEGIN PERFORM pg_advisory_lock(k); END$$")
    for number in range(clients):
        yield (f"CREATE FUNCTION set_{number}(v text) RETURNS void LANGUAGE plpgsql AS "
               f"$$BEGIN PERFORM set_config('fn_{number}.secret', v, false); END$$")
        yield (f"CREATE FUNCTION run_{number}(v text) RETURNS void LANGUAGE plpgsql AS "
               f"$$BEGIN EXECUTE 'SET fn_{number}.secret = ' || quote_literal(v); END$$")


def assigned(name, value):
    """The right side of SET."""
    return value if name in LISTS else literal(value)


def change(client, names, solo=False):
    """SET in one of its many forms."""
    random = client.random
    name = random.choice(sorted(names))
    value = random.choice(names[name])
    local = not solo and random.random() < 0.2
    if random.random() < 0.4:
        return by_function(client, name, value, local, solo)
    return Step(random.choice(forms(client, name, value, local)), lambda session: session.set(name, value, local),
                solo=solo)


def forms(client, name, value, local):
    """The ways to say it without parameters."""
    scope = "LOCAL " if local else client.random.choice(("", "SESSION "))
    right, flag = assigned(name, value), "true" if local else "false"
    found = [f"SET {scope}{name} = {right}", f"SET {scope}{name} TO {right}", f"set {scope}\"{name}\"={right}",
             f"DO $$BEGIN SET {scope}{name} = {right}; END$$",
             f"DO $a$BEGIN EXECUTE $b$SET {scope}{name} = {right}$b$; END$a$",
             f"SELECT public.set_any('{name}', {literal(value)}, {flag})"]
    # a rule does it, which session_replication_role may turn off
    if name in BOOLEANS and not local and client.may_write() and not client.superuser:
        found.append(f"UPDATE pg_settings SET setting = '{value}' WHERE name = '{name}'")
    if name == "TimeZone":
        found.append(f"SET {scope}TIME ZONE {right}")
    if name == "client_encoding":
        found.append(f"SET {scope}NAMES {right}")
    if name == "default_transaction_read_only" and not local:
        found.append(f"SET SESSION CHARACTERISTICS AS TRANSACTION READ {'ONLY' if value == 'on' else 'WRITE'}")
    return found


def by_function(client, name, value, local, solo=False):
    """set_config() with literals, or with Bind parameters where the protocol allows it."""
    flag = "true" if local else "false"
    function = client.random.choice(("set_config", "pg_catalog.set_config"))
    asked = name.upper() if "." in name and client.random.random() < 0.2 else name
    return Step(f"SELECT {function}('{asked}', {literal(value)}, {flag})",
                lambda session: session.set(name, value, local), solo=solo, rows=[(value,)],
                bound=(f"SELECT {function}($1, $2, {flag})", (asked, value)))


def plain(client):
    return change(client, PLAIN)


def solo(client):
    return change(client, SOLO, solo=True)


def of_superuser(client):
    return change(client, OF_SUPERUSERS if client.is_superuser_now() else PLAIN)


def hidden_from_others(client):
    return change(client, HIDDEN_FROM_OTHERS if client.is_superuser_now() else PLAIN)


def before_temporary(client):
    return change(client, PLAIN if client.uses_temporary else BEFORE_TEMPORARY)


def custom(client):
    """A name that the application made up."""
    random = client.random
    name = random.choice((*SHARED, *own_names(client.number)))
    value, local = client.new_value(), random.random() < 0.2
    client.hunt.recent.append((client.number, name))
    if random.random() < 0.5:
        return by_function(client, name, value, local)
    scope = "LOCAL " if local else random.choice(("", "SESSION "))
    spelled = random.choice((name, name.upper(), ".".join(f'"{part}"' for part in name.split("."))))
    return Step(random.choice((f"SET {scope}{spelled} = {literal(value)}", f"SET {scope}{spelled} TO {literal(value)}",
                               f"DO $a$BEGIN EXECUTE $b$SET {scope}{name} = {literal(value)}$b$; END$a$")),
                lambda session: session.set(name, value, local))


def custom_in_a_function(client):
    random, number, value = client.random, client.number, client.new_value()
    kind = random.randrange(5)
    if kind == 4:
        client.hunt.recent.append((number, built_name(number)))
        return Step(f"SELECT public.set_built({number}, {literal(value)})", lambda session: None,
                    bound=("SELECT public.set_built($1, $2)", (str(number), value)))
    name = f"fn_{number}.secret" if kind < 3 else "rls.tenant"
    client.hunt.recent.append((number, name))
    function = random.choice((f"set_{number}", f"run_{number}")) if kind < 3 else "set_rls_tenant"
    if random.random() < 0.3:
        return Step(f"DO $a$BEGIN PERFORM public.{function}({literal(value)}); END$a$",
                    lambda session: session.set(name, value))
    return Step(f"SELECT public.{function}({literal(value)})", lambda session: session.set(name, value),
                bound=(f"SELECT public.{function}($1)", (value,)))


def no_change(client):
    """Looks like one."""
    return Step(client.random.choice((
        "SELECT public.with_settings()",
        "DO $$BEGIN BEGIN PERFORM set_config('work_mem', '9MB', false); PERFORM 1/0; "
        "EXCEPTION WHEN OTHERS THEN NULL; END; END$$",
        "DO $$BEGIN BEGIN SET app.tenant = 'undone'; PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END; END$$",
        "SELECT set_config('app.tenant', 'gone', true) WHERE false", "SELECT 1")), lambda session: None)


def procedure(client):
    """Commits the first value, rolls the second back."""
    value = client.new_value()
    return Step(f"CALL public.set_and_commit({literal(value)}, 'rolled back')",
                lambda session: session.set("app.tenant", value), alone=True)


def reset(client):
    random = client.random
    name = random.choice((*sorted(PLAIN), *SHARED, *own_names(client.number)))
    local = random.random() < 0.1
    statement = f"SET LOCAL {name} TO DEFAULT" if local else random.choice((
        f"RESET {name}", f"SET {name} TO DEFAULT", f"SELECT set_config('{name}', NULL, false)",
        f"DO $$BEGIN RESET {name}; END$$"))
    return Step(statement, lambda session: session.reset(name, local))


def reset_all(client):
    return Step(client.random.choice(("RESET ALL", "DO $$BEGIN RESET ALL; END$$")), lambda session: session.reset_all(),
                solo=True)


def discard_all(client):
    def effect(session):
        client.release_contended()
        session.discard_all()

    return Step("DISCARD ALL", effect, alone=True)


def role(client):
    random = client.random
    # whoever is somebody else already is a member of nothing
    known = ROLES if client.session.value("session_authorization") == client.user else ()
    name, local = random.choice((*known, "none")), random.random() < 0.2
    scope = "LOCAL " if local else ""
    statement = random.choice((f"SET {scope}ROLE {name}", f"SET {scope}role = '{name}'",
                               f"SELECT set_config('role', '{name}', {'true' if local else 'false'})",
                               f"DO $$BEGIN EXECUTE 'SET {scope}ROLE {name}'; END$$"))
    if name == "none" and not local and random.random() < 0.5:
        statement = "RESET ROLE"
    return Step(statement, lambda session: session.set("role", name, local), changes_role=True)


def authorization(client):
    """A superuser becomes somebody else, or itself again."""
    session = client.session
    if not client.superuser or session.value("role") != "none":
        return role(client)
    if session.value("session_authorization") != client.user:
        return Step(client.random.choice(("RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION DEFAULT")),
                    lambda session: session.authorize(client.user), alone=True)
    user = client.random.choice(("app", "clerk"))
    return Step(f"SET SESSION AUTHORIZATION {user}", lambda session: session.authorize(user), alone=True)
