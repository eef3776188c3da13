# The parts of scripts/quickstart. Everything lives in .demo/ and belongs to user postgres when root runs it,
# since neither PostgreSQL nor pgweir runs as root.

say() { echo "quickstart: $*" >&2; }
give_up() { say "$@"; exit 1; }

if [ "$(id -u)" = 0 ]; then
    as_demo() { (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"); }
else
    as_demo() { (cd / && "$@"); }
fi

postgres_bin() { ls --directory /usr/lib/postgresql/*/bin | sort --version-sort | tail --lines=1; }

# .demo/ itself, or a link to a folder that user postgres can enter (a checkout in /root is closed to it)
# and whose name is short enough for a unix socket (107 bytes).
demo_folder() {
    if [ ! -e .demo ]; then
        if as_demo test -x "$PWD" && [ ${#PWD} -lt 70 ]; then
            mkdir .demo
        else
            local elsewhere
            elsewhere=$(as_demo mktemp --directory "${TMPDIR:-/tmp}/pgweir-demo-XXXXXX")
            ln --symbolic --force --no-dereference "$elsewhere" .demo
            say "user postgres cannot use $PWD: .demo is a link to $elsewhere"
        fi
        if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$(readlink --canonicalize .demo)"; fi
    fi
    demo=$(readlink --canonicalize .demo)
    as_demo mkdir --parents "$demo/run" "$demo/ports"
    as_demo chmod 700 "$demo/run"
}

# port_of NAME FIRST: the port that was chosen for NAME, now and for ever: the first free one from FIRST on.
port_of() {
    local port=$2
    if [ ! -s "$demo/ports/$1" ]; then
        while is_open "$port" || grep --quiet --line-regexp --recursive "$port" "$demo/ports"; do port=$((port + 1)); done
        echo "$port" >"$demo/ports/$1"
    fi
    cat "$demo/ports/$1"
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { say "still waiting for $what, giving up"; return 1; }
        sleep 0.2
    done
}

# sql NODE: runs the statements of its input as the cluster's superuser, over the unix socket.
sql() {
    as_demo psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --host="$demo/run" --port="$(cat "$demo/ports/$1")" --dbname=postgres
}

node_runs() { as_demo "$(postgres_bin)/pg_ctl" --pgdata="$demo/$1" status >/dev/null 2>&1; }

node_start() {
    node_runs "$1" || as_demo "$(postgres_bin)/pg_ctl" --pgdata="$demo/$1" --log="$demo/$1.log" \
        --wait --silent start || give_up "$1 did not start, see .demo/$1.log"
}

node_settings() {
    printf '%s\n' "port = $2" "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$demo/run'" \
        "shared_buffers = 64MB" "cluster_name = '$1'" | as_demo tee --append "$demo/$1/postgresql.auto.conf" >/dev/null
}

make_primary() {
    say "making the demo cluster in .demo/"
    as_demo rm --recursive --force "$demo/primary" "$demo/standby1" "$demo/standby2" # of a run that broke off
    as_demo "$(postgres_bin)/initdb" --pgdata="$demo/primary" --auth-local=peer --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 >"$demo/initdb.log" || give_up "initdb failed, see .demo/initdb.log"
    node_settings primary "$(port_of primary 15432)"
    node_start primary
    new_password
    sql primary <<<"CREATE ROLE demo LOGIN PASSWORD '$password'; CREATE DATABASE demo OWNER demo;"
    touch "$demo/primary.made"
}

make_standby() {
    as_demo rm --recursive --force "$demo/$1"
    sql primary <<<"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '$1'"
    as_demo "$(postgres_bin)/pg_basebackup" --pgdata="$demo/$1" --host="$demo/run" \
        --port="$(port_of primary 15432)" --checkpoint=fast --create-slot --slot="$1" --write-recovery-conf \
        || give_up "the copy of the primary for $1 failed"
    node_settings "$1" "$(port_of "$1" 15433)"
    touch "$demo/$1.made"
}

both_stream() { [ "$(sql primary <<<"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 2 ]; }

demo_cluster() {
    [ -e "$demo/primary.made" ] || make_primary
    node_start primary
    local standby
    for standby in standby1 standby2; do
        [ -e "$demo/$standby.made" ] || make_standby "$standby"
        node_start "$standby"
    done
    wait_for 30 "both standbys to stream" both_stream || give_up "see .demo/standby1.log and .demo/standby2.log"
    sql primary <<SQL
DO \$\$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pgweir_monitor') THEN
        CREATE ROLE pgweir_monitor LOGIN PASSWORD '$(cat "$demo/password")' IN ROLE pg_monitor;
    END IF;
END \$\$;
SQL
    target="cluster: demo" user=demo database=demo
    password=$(cat "$demo/password")
    if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$demo/password"; fi
}

new_password() {
    password=$(head --bytes=15 /dev/urandom | base64 | tr '+/' 'ab')
    (umask 077 && echo "$password" >"$demo/password")
}

# Sets host, port, user, password and database, and makes sure that they are right.
server_of_dsn() {
    local parts
    parts=$(/usr/bin/python3 scripts/lib/dsn.py "$1") || exit 1
    { read -r host; read -r port; read -r user; read -r password; read -r database; } <<<"$parts"
    target="host: $(in_yaml "$host"), port: $port"
    PGCONNECT_TIMEOUT=5 PGPASSWORD=$password psql --no-psqlrc --no-password --quiet --output=/dev/null --command='SELECT 1' \
        --host="$host" --port="$port" --username="$user" --dbname="$database" \
        || give_up "the server does not let us in, so pgweir would not get in either"
}

in_url() { /usr/bin/python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$1"; }

pgweir_url() {
    echo "postgresql://$(in_url "$user"):$(in_url "$password")@127.0.0.1:$(port_of pgweir 6432)/$(in_url "$1")"
}

# in_yaml TEXT: as a double-quoted scalar, which is what JSON's strings are.
in_yaml() { /usr/bin/python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"; }

pgweir_files() {
    cat >"$1/pgweir.yaml" <<YAML
listen:
  - {host: 127.0.0.1, port: $(port_of pgweir 6432)}
http: {host: 127.0.0.1, port: $(port_of http 9632)}
auth: {method: scram-sha-256, users_file: users.txt}
admin: {users: [$(in_yaml "$user")]}
$(if [ "$target" = "cluster: demo" ]; then demo_nodes; fi)
databases:
  $(in_yaml "$database"): {$target, pool_size: 20}
YAML
    printf '"%s" "%s"\n' "${user//\"/\"\"}" "${password//\"/\"\"}" >"$1/users.txt"
}

demo_nodes() {
    cat <<YAML
clusters:
  demo:
    nodes:
      - {name: primary, host: 127.0.0.1, port: $(port_of primary 15432)}
      - {name: standby1, host: 127.0.0.1, port: $(port_of standby1 15433)}
      - {name: standby2, host: 127.0.0.1, port: $(port_of standby2 15433)}
    monitor: {user: pgweir_monitor, password: {file: password}}
    routing: {reads: standby}
YAML
}

# The process id of our pgweir, when it runs; a number that another program was given since does not count.
pgweir_pid() {
    local pid
    pid=$(cat "$demo/pgweir.pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/exe")" = "$demo/pgweir" ] && echo "$pid"
}

pgweir_stop() {
    local pid
    pid=$(pgweir_pid) || return 0
    kill -TERM "$pid"
    wait_for 40 "pgweir's last transactions" eval '! pgweir_pid' || { kill -INT "$pid" && wait_for 5 "pgweir's end" eval '! pgweir_pid'; }
    rm --force "$demo/pgweir.pid"
}

pgweir_answers() { psql --no-psqlrc --no-password --quiet --output=/dev/null --command='SELECT 1' "$(pgweir_url "$database")"; }

# Starts it, or starts it anew when the program or its configuration changed.
pgweir_start() {
    local new
    new=$(umask 077 && mktemp --directory "$demo/new-XXXXXX")
    port_of pgweir 6432 >/dev/null
    port_of http 9632 >/dev/null
    (umask 077 && pgweir_files "$new")
    if pgweir_pid >/dev/null && cmp --quiet build/release/pgweir "$demo/pgweir" &&
        cmp --quiet "$new/pgweir.yaml" "$demo/pgweir.yaml" && cmp --quiet "$new/users.txt" "$demo/users.txt"; then
        rm --recursive "$new"
    else
        pgweir_stop
        install --mode=755 build/release/pgweir "$demo/pgweir"
        mv "$new/pgweir.yaml" "$new/users.txt" "$demo/"
        rmdir "$new"
        if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$demo"/{pgweir.yaml,users.txt}; fi
        as_demo setsid --fork sh -c 'echo $$ >"$1/pgweir.pid"; exec "$1/pgweir" "$1/pgweir.yaml" >>"$1/pgweir.log" 2>&1 </dev/null' \
            sh "$demo"
    fi
    wait_for 20 "pgweir to answer" pgweir_answers || { tail --lines=20 "$demo/pgweir.log" >&2; give_up "pgweir does not answer, see .demo/pgweir.log"; }
}

demo_stop() {
    [ -e .demo ] || { say "nothing was started here"; return 0; }
    demo=$(readlink --canonicalize .demo)
    pgweir_stop
    local node
    for node in standby1 standby2 primary; do
        if node_runs "$node"; then
            as_demo "$(postgres_bin)/pg_ctl" --pgdata="$demo/$node" --mode=fast --wait --silent stop
        fi
    done
    say "stopped; the data stays in .demo/, rm -r .demo/ removes it"
}
