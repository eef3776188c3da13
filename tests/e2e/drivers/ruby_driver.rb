require "pg"

WHO = ENV.fetch("DRIVER_ID")

def must(got, want)
  raise "got #{got.inspect}, want #{want.inspect}" unless got == want
end

connection = PG.connect # from PGHOST and the others
connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
count = -> { connection.exec_params("SELECT count(*) FROM work WHERE who = $1", [WHO]).getvalue(0, 0) }

row = connection.exec("SELECT 42, 'snö'::text, true, NULL::int, 2.5::float8, ARRAY[1, 2]").values[0]
must(row, [42, "snö", true, nil, 2.5, [1, 2]])

connection.prepare("twice", "SELECT $1::int * 2 AS n")
20.times { |number| must(connection.exec_prepared("twice", [number]).getvalue(0, 0), number * 2) }

connection.transaction { |inner| inner.exec_params("INSERT INTO work VALUES ($1, 1)", [WHO]) }
begin
  connection.transaction do |inner|
    inner.exec_params("INSERT INTO work VALUES ($1, 2)", [WHO])
    raise "roll back"
  end
rescue RuntimeError
  must(count.call, 1)
end

begin
  connection.exec("SELECT 1/0")
  raise "no error"
rescue PG::DivisionByZero
  must(count.call, 1)
end

connection.send_query("SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n")
connection.set_single_row_mode
rows = 0
connection.get_result.stream_each { rows += 1 }
connection.get_result
must(rows, 20_000)

connection.copy_data("COPY work FROM STDIN") { 1000.times { connection.put_copy_data("#{WHO}\t7\n") } }
copied = 0
connection.copy_data("COPY (SELECT n FROM work WHERE who = '#{WHO}' AND n = 7) TO STDOUT") do
  copied += 1 while connection.get_copy_data
end
must(copied, 1000)
connection.close
puts "OK"
