"""What a session looks like in PostgreSQL's own views, asked for in one of several forms."""

import json

from . import settings
from .steps import Script, Step

OBJECTS = """
SELECT json_build_object(
 'prepared statements', ARRAY(SELECT name FROM pg_prepared_statements WHERE from_sql ORDER BY 1),
 'advisory locks', ARRAY(SELECT concat_ws('.', classid, objid, objsubid) FROM pg_locks
   WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1),
 'temporary objects', ARRAY(SELECT relname::text FROM pg_class
   WHERE relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'v', 'S')
   UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = pg_my_temp_schema()
   UNION ALL SELECT typname::text FROM pg_type WHERE typnamespace = pg_my_temp_schema() AND typtype = 'd' ORDER BY 1),
 'channels', ARRAY(SELECT c FROM pg_listening_channels() c ORDER BY 1),
 'holdable cursors', ARRAY(SELECT name FROM pg_cursors WHERE is_holdable ORDER BY 1),
 'users', ARRAY[current_user::text, session_user::text])::text
""".replace("\n", " ").strip()


def settings_query(names):
    values = ", ".join(f"current_setting('{name}', true)" for name in names)
    return f"SELECT pg_backend_pid()::text, array_to_json(ARRAY[{values}])::text"


def foreign(client):
    """Some names of others: what was set of late, and what one of them may have set."""
    other = client.random.randrange(client.hunt.options.clients)
    recent = client.hunt.recent
    names = set(client.random.sample(recent, min(3, len(recent))))
    names |= {(other, name) for name in (*settings.own_names(other), settings.built_name(other))}
    return sorted({name for number, name in names if number != client.number and name not in settings.SHARED})


def names_of(client):
    names = [*settings.PLAIN, *settings.SOLO, *settings.BEFORE_TEMPORARY, "role", "session_authorization",
             *settings.SHARED, *settings.own_names(client.number), settings.built_name(client.number)]
    if client.superuser:
        names += settings.OF_SUPERUSERS
    if client.is_superuser_now():
        names += settings.HIDDEN_FROM_OTHERS
    return names


def look(client):
    """A script, and what makes (pid, values by name, objects) of its answers."""
    own, others = names_of(client), foreign(client)
    reported = [name for name in settings.REPORTED if name not in own]
    names = [*own, *others, *reported]
    first, second = Step(settings_query(names), None), Step(OBJECTS, None)
    form = client.random.randrange(8)
    shown = client.random.sample(sorted(settings.PLAIN), 3) if form == 7 else []
    shows = [Step(f"SHOW {name}", None) for name in shown]
    groups = {0: [[first, second]], 1: [[first], [second]], 2: [[first], [second]], 3: [[first, second]],
              4: [[Step("BEGIN", None)], [first], [second], [Step("COMMIT", None)]], 5: [[second], [first]],
              6: [[Step("BEGIN", None), first, second, Step("COMMIT", None)]], 7: [[*shows, second], [first]]}[form]
    script = Script(groups, extended=form in (2, 3), together=form in (2, 5))

    def take(answers):
        rows = [result.rows[0] for group in answers for result in group.results if result.rows]
        pid, values = next(row for row in rows if len(row) == 2)
        objects = next(row for row in rows if len(row) == 1 and row[0].startswith("{"))
        values = dict(zip(names, json.loads(values)))
        for step, (value,) in zip(shows, (row for row in rows if len(row) == 1)):
            values[step.sql] = value
        return int(pid), values, json.loads(objects[0])

    return script, take, others


