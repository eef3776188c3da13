# A shop on ActiveRecord 6.1: migrations, models and sessions, in many threads.
require_relative "shop"
require_relative "checks"

ROUNDS = 10
STATEMENT_TIMEOUT = "25s".freeze

def base
  ActiveRecord::Base.connection
end

check "migrations go up, down and up again" do
  migrations("migrate").migrate
  must(migrations("migrate").current_version, 20_210_101_000_002)
  migrations("migrate").rollback(2)
  must(base.table_exists?(:accounts), false)
  migrations("migrate").migrate
  must(migrations("migrate").needs_migration?, false)
  must(ActiveRecord::SchemaMigration.count, 2)
  must(base.extension_enabled?("pgcrypto"), true)
end

check "of two migrators at once one is refused" do
  migrator("slow") do |first|
    must(first.gets, "inside\n")
    3.times { must(migrator("slow", &:read), "somebody else migrates\n") }
    first.puts "go on"
    must(first.read, "migrated\n")
  end
  must(migrator("slow", &:read), "migrated\n") # nothing is left to do, and the lock is free
  must(Marker.where(name: "slow").count, 1)
end

check "migrators that race migrate once" do
  said = Array.new(4) { Thread.new { migrator("quick", &:read) } }.map(&:value)
  must(said - ["migrated\n", "somebody else migrates\n"], [])
  must(said.include?("migrated\n"), true)
  must(Marker.where(name: "quick").count, 1)
end

check "variables of database.yml hold on every connection" do
  in_threads do |_, connection|
    ROUNDS.times do
      must(connection.select_value("SHOW statement_timeout"), STATEMENT_TIMEOUT)
      must(connection.select_value("SHOW lock_timeout"), "20s")
      must(connection.select_value("SELECT current_setting('shop.branch')"), "north")
      must(connection.select_value("SHOW timezone"), "UTC")
      must(connection.select_value("SHOW client_min_messages"), "warning")
    end
  end
end

check "create, find, update and destroy" do
  in_threads do |number, _|
    account = Account.create!(name: "holder #{number}").reload
    must(account.token.size, 36)
    ROUNDS.times do |round|
      account.entries.create!(amount: round, detail: { "round" => round, "text" => "snö" })
      must(Account.find(account.id).name, account.name)
      must(Account.find_by(name: account.name).id, account.id)
      account.update!(balance: 100 + round)
      must(Account.where(id: account.id).pluck(:balance), [100 + round])
    end
    must(account.entries.sum(:amount), ROUNDS * (ROUNDS - 1) / 2)
    must(account.entries.where("detail->>'round' = ?", "3").first.detail["text"], "snö")
    must(account.entries.where(amount: 3).destroy_all.size, 1)
    must(Account.includes(:entries).find(account.id).entries.size, ROUNDS - 1)
    account.update!(balance: 100)
  end
  must(Account.count, THREADS)
  must(Entry.count, THREADS * (ROUNDS - 1))
end

check "validations and constraints refuse" do
  in_threads do |number, _|
    must(Account.new(name: "holder #{number}").valid?, false)
    begin
      Account.insert!({ name: "holder #{number}", created_at: Time.now, updated_at: Time.now })
      raise "a name was taken twice"
    rescue ActiveRecord::RecordNotUnique
      must(Account.where(name: "holder #{number}").count, 1)
    end
    begin
      Entry.create!(account_id: 0, amount: 1)
      raise "an entry without an account"
    rescue ActiveRecord::RecordInvalid
      must(Entry.where(account_id: 0).count, 0)
    end
  end
end

check "transactions, savepoints and roll backs" do
  before = Account.sum(:balance)
  in_threads do |number, _|
    account = Account.find_by!(name: "holder #{number}")
    ROUNDS.times do |round|
      Account.transaction do
        account.update!(balance: account.balance + 10)
        Account.transaction(requires_new: true) do
          Entry.create!(account_id: account.id, amount: 1000)
          raise ActiveRecord::Rollback
        end
        account.update!(balance: account.balance - 10)
        raise ActiveRecord::Rollback if round.odd?
      end
      account.reload
    end
    must(account.entries.where(amount: 1000).count, 0)
  end
  must(Account.sum(:balance), before)
end

check "with_lock moves money and loses none" do
  before = Account.sum(:balance)
  ids = Account.order(:id).pluck(:id)
  in_threads do |number, _|
    random = Random.new(number)
    ROUNDS.times do
      from, to = ids.sample(2, random: random).sort
      Account.find(from).with_lock do
        Account.transaction do
          giver, taker = Account.lock.order(:id).find([from, to])
          giver.update!(balance: giver.balance - 1)
          taker.update!(balance: taker.balance + 1)
        end
      end
    end
  end
  must(Account.sum(:balance), before)
end

check "optimistic locking tells who came late" do
  account = Account.create!(name: "contended", balance: 0)
  in_threads do
    ROUNDS.times do
      mine = Account.find(account.id)
      mine.update!(balance: mine.balance + 1)
    rescue ActiveRecord::StaleObjectError
      retry
    end
  end
  must(account.reload.balance, THREADS * ROUNDS)
  account.destroy!
end

check "serializable transactions are retried" do
  account = Account.create!(name: "serial", balance: 0)
  in_threads(4) do
    ROUNDS.times do
      Account.transaction(isolation: :serializable) do
        must(Account.connection.select_value("SHOW transaction_isolation"), "serializable")
        mine = Account.find(account.id)
        Account.where(id: mine.id).update_all(balance: mine.balance + 1)
      end
    rescue ActiveRecord::SerializationFailure
      retry
    end
  end
  must(account.reload.balance, 4 * ROUNDS)
  account.destroy!
end

check "find_each, insert_all and upsert_all" do
  in_threads do |number, _|
    now = Time.now.utc
    rows = Array.new(50) { |n| { name: "bulk #{number}.#{n}", balance: n, created_at: now, updated_at: now } }
    Account.insert_all(rows)
    must(Account.insert_all(rows, returning: :id).rows, [])
    Account.upsert_all(rows.map { |row| row.merge(balance: row[:balance] * 2) }, unique_by: :name)
    mine = Account.where("name LIKE ?", "bulk #{number}.%")
    sum = seen = 0
    mine.find_each(batch_size: 7) { |account| seen += 1; sum += account.balance }
    must([seen, sum], [50, 50 * 49])
    must(mine.in_batches(of: 20).map(&:count), [20, 20, 10])
    must(mine.delete_all, 50)
  end
end

check "SET stays on its connection" do
  in_threads do |number, connection|
    connection.execute("SET shop.clerk = 'clerk #{number}'")
    connection.execute("SET search_path = public, pg_temp") if number.even?
    connection.execute("SET work_mem = '#{1025 + number}kB'")
    path = number.even? ? "public, pg_temp" : '"$user", public'
    ROUNDS.times do
      must(Account.connection.select_value("SELECT current_setting('shop.clerk')"), "clerk #{number}")
      Account.transaction do
        Account.find_by!(name: "holder #{number}").touch
        must(connection.select_value("SHOW work_mem"), "#{1025 + number}kB")
      end
      must(connection.select_value("SHOW search_path"), path)
      must(connection.select_value("SHOW statement_timeout"), STATEMENT_TIMEOUT)
    end
    connection.execute("RESET shop.clerk; RESET search_path; RESET work_mem")
    must(connection.select_value("SELECT current_setting('shop.clerk', true)").to_s, "")
  end
end

check "a statement_timeout of a connection ends its statements only" do
  in_threads do |number, connection|
    if number < 4
      connection.execute("SET statement_timeout = '200ms'")
      begin
        connection.execute("SELECT pg_sleep(5)")
        raise "it was not cancelled"
      rescue ActiveRecord::QueryCanceled
        must(connection.select_value("SHOW statement_timeout"), "200ms")
      end
      connection.execute("SET statement_timeout = '#{STATEMENT_TIMEOUT}'")
    else
      must(connection.select_value("SELECT 1 FROM pg_sleep(0.25)"), 1) if number < 6
      must(connection.select_value("SHOW statement_timeout"), STATEMENT_TIMEOUT)
    end
  end
end

check "lock timeouts and deadlocks are told" do
  one, two = Account.order(:id).first(2)
  ready = Queue.new
  results = in_threads(2) do |number, _|
    first, second = number.zero? ? [one, two] : [two, one]
    Account.transaction do
      Account.lock.find(first.id)
      ready << number
      Thread.pass until ready.size == 2
      Account.lock.find(second.id)
    end
    :locked
  rescue ActiveRecord::Deadlocked
    :deadlocked
  end
  must(results.sort, %i[deadlocked locked])
end

check "temporary tables stay on their connection" do
  in_threads do |number, connection|
    connection.create_table(:basket, temporary: true, id: false) { |t| t.integer :amount }
    3.times { |n| connection.execute("INSERT INTO basket VALUES (#{number + n})") }
    must(connection.select_value("SELECT sum(amount) FROM basket").to_i, 3 * number + 3)
    connection.drop_table(:basket)
  end
end

check "advisory locks of connections exclude each other" do
  inside = most = 0
  in_threads do |_, connection|
    Thread.pass until connection.get_advisory_lock(4711)
    inside += 1
    most = [most, inside].max
    must(connection.select_value("SELECT 1 FROM pg_sleep(0.005)"), 1)
    inside -= 1
    must(connection.release_advisory_lock(4711), true)
  end
  must(most, 1)
end

check "extensions are enabled and disabled" do
  base.enable_extension("citext")
  must(base.extension_enabled?("citext"), true)
  must(base.select_value("SELECT 'A'::citext = 'a'"), true)
  base.disable_extension("citext")
  must(base.extensions.include?("citext"), false)
end

check "a schema cache is what the tables are" do
  cache = base.schema_cache
  cache.clear!
  base.tables.each { |table| cache.add(table) }
  cache.dump_to("schema_cache.yml")
  loaded = ActiveRecord::ConnectionAdapters::SchemaCache.load_from("schema_cache.yml")
  loaded.connection = base
  must(loaded.columns("accounts").map(&:name), Account.column_names)
  must(loaded.primary_keys("entries"), "id")
end

check "old prepared statements make room for new ones inside transactions" do
  config = ActiveRecord::Base.connection_db_config.configuration_hash.merge(statement_limit: 10)
  pool = ActiveRecord::ConnectionAdapters::ConnectionHandler.new.establish_connection(config)
  in_threads do |number, _|
    pool.with_connection do |connection|
      connection.transaction do
        30.times do |n|
          must(connection.exec_query("SELECT $1::int + #{n}", nil, [number], prepare: true).rows, [[number + n]])
        end
        must(connection.select_value("SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'pgweir%'") <= 10, true, "statements kept:")
      end
    end
  end
  pool.disconnect!
end

check "tables change under prepared statements, outside transactions" do
  done = false
  changes = Thread.new do
    6.times do |n|
      ActiveRecord::Base.connection_pool.with_connection do |connection|
        connection.execute("ALTER TABLE accounts ADD COLUMN note#{n} text")
        connection.execute("ALTER TABLE accounts DROP COLUMN note#{n}") if n > 3
      end
    end
  ensure
    done = true
  end
  found = in_threads do |number, _|
    count = 0
    until done && count > 20
      must(Account.find_by!(name: "holder #{number}").name, "holder #{number}")
      must(Account.where(name: "holder #{number}").order(:id).first.name, "holder #{number}")
      count += 1
    end
    count
  end
  changes.value
  must(found.min > 20, true)
end

check "tables change under prepared statements, inside transactions" do
  barrier = Queue.new
  expired = in_threads do |number, connection|
    2.times { Account.where(name: "holder #{number}").order(:id).to_a }
    barrier << number
    Thread.pass until barrier.size >= THREADS
    if number.zero?
      connection.execute("ALTER TABLE accounts ADD COLUMN remark text DEFAULT 'new'")
      barrier << number
    end
    Thread.pass until barrier.size == THREADS + 1
    retried = 0
    begin
      Account.transaction do
        must(Account.where(name: "holder #{number}").order(:id).to_a.map(&:name), ["holder #{number}"])
        Account.find_by!(name: "holder #{number}").touch
      end
    rescue ActiveRecord::PreparedStatementCacheExpired
      retried += 1
      retry if retried < 5
      raise
    end
    retried
  end
  must(expired.max < 5, true)
  base.execute("ALTER TABLE accounts DROP COLUMN remark")
end

check "notifications reach the connection that listens" do
  heard = []
  listening = Queue.new
  listener = Thread.new do
    ActiveRecord::Base.connection_pool.with_connection do |connection|
      raw = connection.raw_connection
      connection.execute("LISTEN news")
      listening << true
      while heard.size < THREADS
        raw.wait_for_notify(15) { |_, _, payload| heard << payload } || raise("only #{heard.size} were heard")
        must(connection.select_value("SHOW statement_timeout"), STATEMENT_TIMEOUT)
      end
    ensure
      connection.execute("UNLISTEN *")
    end
  end
  listening.pop
  in_threads do |number, connection|
    Account.transaction { connection.execute("NOTIFY news, '#{number}'") }
  end
  listener.value
  must(heard.map(&:to_i).sort, (0...THREADS).to_a)
end

check "reset! and reconnect! give a fresh session with its variables" do
  in_threads do |number, connection|
    connection.execute("SET shop.clerk = 'gone'; SET work_mem = '3MB'")
    number.even? ? connection.reset! : connection.reconnect!
    must(connection.select_value("SHOW work_mem"), "4MB")
    must(connection.select_value("SELECT coalesce(current_setting('shop.clerk', true), '')"), "")
    must(connection.select_value("SHOW statement_timeout"), STATEMENT_TIMEOUT)
    must(connection.select_value("SELECT current_setting('shop.branch')"), "north")
    must(Account.find_by!(name: "holder #{number}").entries.count, ROUNDS - 1)
  end
end

exit($failed.zero?)
