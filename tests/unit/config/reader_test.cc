#include "config/reader.h"

#include "unit/config/world.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;

Config config_of(std::string_view yaml, const World& world = {}) {
    Loaded loaded = load_text(yaml, "/etc/pgweir/c.yaml", world);
    for (const Diagnostic& problem : loaded.problems) MESSAGE(problem.to_line());
    REQUIRE(loaded.config.has_value());
    return std::move(*loaded.config);
}

TEST_CASE("reader: every section reaches its place in the model") {
    const Config config = config_of(R"(
listen:
  - {host: 0.0.0.0, port: 5000}
  - {unix: /run/pgweir}
http: {host: 127.0.0.2, port: 9632}
workers: 3
limits: {clients: 50, message_size: 64MB, prepared_per_server: 9}
auth: {method: md5, users_file: users.txt}
admin: {users: [ops, dba], viewers: [grafana]}
pool: {pool_mode: session, pool_size: 7, min_size: 2, reserve_size: 1, reserve_after: 3s}
timeouts: {login: 1s, idle_transaction: 2h}
log: {file: /var/log/pgweir.log, level: warning, connections: false}
clusters: {main: {nodes: [{name: n1, host: db1, port: 5433}]}}
databases:
  app: {cluster: main, dbname: app_live, user: app, password: "pw", max_servers: 30}
  "*": {host: db2}
users: {job: {pool_mode: statement, query_wait_timeout: 1m, max_clients: 5}}
)");
    REQUIRE(config.listen.size() == 2);
    CHECK(config.listen[0] == ListenAddress{.host = "0.0.0.0", .unix_folder = "", .port = 5000});
    CHECK(config.listen[1] == ListenAddress{.host = "", .unix_folder = "/run/pgweir"});
    CHECK(config.http == HttpAddress{.host = "127.0.0.2", .port = 9632});
    CHECK(config.workers == 3);
    CHECK(config.limits.clients == 50);
    CHECK(config.limits.message_size == 64 << 20);
    CHECK(config.limits.prepared_per_server == 9);
    CHECK(config.auth.method == AuthMethod::Md5);
    CHECK(config.auth.users_file == "/etc/pgweir/users.txt");
    CHECK(config.admin.users == std::vector<std::string>{"ops", "dba"});
    CHECK(config.admin.viewers == std::vector<std::string>{"grafana"});
    CHECK(config.pool.pool_mode == PoolMode::Session);
    CHECK(config.pool.reserve_after == 3s);
    CHECK(config.timeouts.login == 1s);
    CHECK(config.timeouts.idle_transaction == 2h);
    CHECK(config.timeouts.query_wait == 2min);
    CHECK(config.log.file == "/var/log/pgweir.log");
    CHECK(config.log.level == LogLevel::Warning);
    CHECK_FALSE(config.log.connections);
    CHECK(config.log.disconnections);
    CHECK(config.clusters.at("main").nodes.front() ==
          Node{.name = "n1", .host = "db1", .port = 5433});
    const Database& app = config.databases.at("app");
    CHECK(app.cluster == "main");
    CHECK(app.dbname == "app_live");
    CHECK(app.user == "app");
    CHECK(app.password->reveal() == "pw");
    CHECK(app.pool.max_servers == 30);
    CHECK_FALSE(app.pool.pool_size.has_value());
    CHECK(config.users.at("job").pool.pool_mode == PoolMode::Statement);
    CHECK(config.users.at("job").pool.query_wait_timeout == 1min);
    CHECK(config.path == "/etc/pgweir/c.yaml");
}

TEST_CASE("reader: an unknown key names the one that was meant") {
    CHECK(problems_in("limits:\n  cleints: 5") ==
          Lines{"2: unknown key \"cleints\" in limits; did you mean clients?"});
    CHECK(problems_in("limit: {clients: 5}") ==
          Lines{"1: unknown key \"limit\"; did you mean limits?"});
    CHECK(problems_in("\nmax_client_conn: 5") ==
          Lines{"2: unknown key \"max_client_conn\"; did you mean limits.clients?"});
    CHECK(problems_in("favourite_colour: blue") ==
          Lines{"1: unknown key \"favourite_colour\"; remove it; docs/config.md has all keys"});
    CHECK(problems_of(
              "auth: {method: trust}\ndatabases:\n  app:\n    host: db\n    pool_sizes: 5\n") ==
          Lines{"5: unknown key \"pool_sizes\" in databases.app; did you mean pool_size?"});
    CHECK(problems_in("users: {job: {min_size: 5}}") ==
          Lines{"1: unknown key \"min_size\" in users.job; did you mean pool.min_size?"});
}

TEST_CASE("reader: the table's own signs are no keys") {
    CHECK(
        problems_in("limits.clients: 5") ==
        Lines{"1: unknown key \"limits.clients\"; write it in two levels: limits: {clients: ...}"});
    CHECK(problems_in("users: {job: {\"*\": 5}}").size() == 1);
    CHECK(problems_in("\"databases.*.pool_size\": 5").size() == 1);
    CHECK(problems_in("\"*\": 5").size() == 1);
}

TEST_CASE("reader: keys of later versions are neither accepted nor unknown") {
    CHECK(problems_in("tls: {mode: prefer}\ncoordination:\n  etcd: {}\n") ==
          Lines{"1: tls is not supported by this version yet; remove the key",
                "2: coordination is not supported by this version yet; remove the key"});
    CHECK(problems_of("auth:\n  method: trust\n  hba_file: hba.conf\n  query: {user: a}\n"
                      "databases: {app: {host: db}}\n") ==
          Lines{"3: auth.hba_file is not supported by this version yet; remove the key",
                "4: auth.query is not supported by this version yet; remove the key"});
    CHECK(problems_in(
              "clusters:\n  main:\n    nodes: [{host: a}]\n    tls: {}\n    failover: {}\n") ==
          Lines{"4: clusters.main.tls is not supported by this version yet; remove the key",
                "5: clusters.main.failover is not supported by this version yet; remove the key"});
}

TEST_CASE("reader: a wrong value is reported in its own line") {
    CHECK(problems_in("limits:\n  clients: 0123\n  queue: 1e3\n  message_size: 10\n") ==
          Lines{"2: limits.clients: \"0123\" has a leading zero; write it without: nothing here is "
                "octal",
                "3: limits.queue: \"1e3\" is not a whole number; write digits only, such as 20",
                "4: limits.message_size: \"10\" has no unit; write 10B if you mean that; the units "
                "are B, kB, MB and GB"});
    CHECK(
        problems_in("timeouts:\n  login: 15\n  query_wait: 0\n  client_idle: -5s\n") ==
        Lines{
            "2: timeouts.login: \"15\" has no unit; write 15s if you mean that; the units are "
            "us, ms, s, m and h",
            "3: timeouts.query_wait: \"0\" is out of range; allowed: 1ms to 24h",
            "4: timeouts.client_idle: \"-5s\" is negative; write one such as 250ms, 5s, 2m or 1h"});
    CHECK(problems_in("log:\n  connections: yes\n") ==
          Lines{"2: log.connections: \"yes\" is not true or false; write true or false, without "
                "quotes; yes, no, on and off are only text"});
    CHECK(problems_in("workers: 65") ==
          Lines{"1: workers: \"65\" is out of range; allowed: 1 to 64, or auto"});
    CHECK(problems_in("limits: {clients: \"5\"}") ==
          Lines{"1: limits.clients: \"5\" is text; write the number without quotes"});
}

TEST_CASE("reader: a wrong shape says what is there and what should be") {
    CHECK(problems_in("limits: 5") ==
          Lines{"1: limits is a single value; write keys with values below it"});
    CHECK(problems_in("limits:\n") == Lines{"1: limits has no value; give it keys, or remove it"});
    CHECK(problems_in("workers: [1]") == Lines{"1: workers is a list; write one value"});
    CHECK(problems_in("workers: {a: 1}") == Lines{"1: workers is a map of keys; write one value"});
    CHECK(problems_in("workers:\n") ==
          Lines{"1: workers has no value; give it one, or remove the key"});
    CHECK(
        problems_in("listen: {host: a}") ==
        Lines{"1: listen is a map of keys; write a list, such as [{host: 127.0.0.1, port: 6432}]"});
    CHECK(problems_in("listen: []") ==
          Lines{"1: listen is empty; write a list, such as [{host: 127.0.0.1, port: 6432}]"});
    CHECK(problems_in("listen: [127.0.0.1]") ==
          Lines{"1: listen.1 is a single value; write keys with values below it"});
    CHECK(problems_in("admin: {users: ops}") ==
          Lines{"1: admin.users is a single value; write a list of names, such as [ops]"});
    CHECK(problems_in("users: [job]") ==
          Lines{"1: users is a list; write keys with values below it"});
}

TEST_CASE("reader: a name must fit PostgreSQL") {
    const std::string long_name(64, 'x');
    CHECK(problems_of("auth: {method: trust}\ndatabases:\n  app: {host: db}\n  " + long_name +
                      ": {host: db}\n") ==
          Lines{"4: a name in databases: \"" + long_name + "\" is too long; at most 63 bytes"});
    CHECK(problems_in("clusters: {\"a:b\": {nodes: [{host: x}]}}") ==
          Lines{"1: a name in clusters: \"a:b\" is no name; use letters, digits, '_', '-' and '.' "
                "only"});
}

TEST_CASE("reader: a password may be a file beside the configuration, or a variable") {
    World world;
    world.files["/etc/pgweir/app.pw"] = {.text = "from file\n", .mode = 0640};
    world.files["/run/secret"] = {.text = "no line break", .mode = 0400};
    world.variables["APP_PASSWORD"] = "from env";
    const Config config = config_of(R"(
auth: {method: trust}
databases:
  a: {host: db, password: {file: app.pw}}
  b: {host: db, password: {file: /run/secret}}
  c: {host: db, password: {env: APP_PASSWORD}}
)",
                                    world);
    CHECK(config.databases.at("a").password->reveal() == "from file");
    CHECK(config.databases.at("b").password->reveal() == "no line break");
    CHECK(config.databases.at("c").password->reveal() == "from env");
}

TEST_CASE("reader: a secret that cannot be had, or that all can read, is a problem") {
    World world;
    world.files["/etc/pgweir/open.pw"] = {.text = "hunter2\n", .mode = 0644};
    world.files["/etc/pgweir/empty.pw"] = {.text = "\n", .mode = 0600};
    CHECK(
        problems_of(R"(auth: {method: trust}
databases:
  a: {host: db, password: {file: gone.pw}}
  b: {host: db, password: {file: open.pw}}
  c: {host: db, password: {file: empty.pw}}
  d: {host: db, password: {env: NOT_SET}}
  e: {host: db, password: {vault: hunter2}}
  f: {host: db, password: {file: a, env: b}}
  g: {host: db, password: [hunter2]}
  h: {host: db, password: ""}
  i: {host: db, password: {file: }}
)",
                    world) ==
        Lines{"3: databases.a.password: cannot read \"/etc/pgweir/gone.pw\": No such file or "
              "directory; a relative path starts from the configuration file's folder",
              "4: databases.b.password: \"/etc/pgweir/open.pw\" is accessible to everybody (mode "
              "0644); chmod o-rwx on it",
              "5: databases.c.password: the file is empty; write the password into the file",
              "6: databases.d.password: the environment has no variable \"NOT_SET\"; set it before "
              "pgweir starts",
              "7: databases.e.password has an unknown source; write {file: PATH} or {env: NAME}",
              "8: databases.f.password needs exactly one source; write {file: PATH} or {env: NAME}",
              "9: databases.g.password is a list; write one value",
              "10: databases.h.password: is empty; give it a value, or remove the key",
              "11: databases.i.password has a source without a value; write {file: PATH} or {env: "
              "NAME}"});
}

TEST_CASE("reader: no message repeats a password that stands in a wrong place") {
    for (const std::string_view yaml :
         {"databases: {a: {host: db, password hunter2}}",
          "databases: {a: {host: db, password:hunter2}}",
          "databases:\n  a:\n    host: db\n    password hunter2\n", "databases: {a: hunter2}",
          "databases:\n  a:\n    pool_size: 5\n    host: db\n      password hunter2\n",
          "databases: {a: {host: db, password: {hunter2}}}"}) {
        for (const std::string& line : problems_of(yaml)) {
            CAPTURE(line);
            CHECK(line.find("hunter2") == std::string::npos);
        }
        CHECK_FALSE(problems_of(yaml).empty());
    }
}

TEST_CASE("reader: a place that is not in the file has the line of what is around it") {
    Draft draft;
    draft.lines = {
        {"auth",     4},
        {"listen.1", 2}
    };
    CHECK(draft.line_of("auth.method") == 4);
    CHECK(draft.line_of("listen.1.host") == 2);
    CHECK(draft.line_of("pool") == 1);
    CHECK(item_key("listen", 0) == "listen.1");
    CHECK(shown_name("a\nb") == "a\\x0ab");
}

}  // namespace
}  // namespace pgweir::config
