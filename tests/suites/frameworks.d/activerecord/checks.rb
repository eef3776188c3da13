# What the checks of app.rb stand on.

require "socket"
require "timeout"

CHECK_SECONDS_MAX = 15
THREADS = Integer(ENV.fetch("THREADS"))
$failed = 0

def must(got, want, what = "")
  raise "#{what} got #{got.inspect}, want #{want.inspect}" unless got == want
end

def check(name, &block)
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  Timeout.timeout(CHECK_SECONDS_MAX, &block)
  puts "ok #{name}"
rescue StandardError => e
  $failed += 1
  where = Array(e.backtrace).find { |line| line.include?("/app.rb") }
  puts "failed #{name}: #{e.class} #{e.message.split.join(" ")} at #{File.basename(where.to_s)}"
  begin_anew
ensure
  puts "# #{(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).round(2)} s"
end

# What a failed check left, threads in the middle of something, must not fail the next ones.
def begin_anew
  ObjectSpace.each_object(PG::Connection) do |connection|
    BasicSocket.for_fd(connection.socket).tap { |it| it.autoclose = false }.shutdown unless connection.finished?
  rescue SystemCallError, PG::Error
    next # it was gone already
  end
  ActiveRecord::Base.default_connection_handler = ActiveRecord::ConnectionAdapters::ConnectionHandler.new
  ActiveRecord::Base.establish_connection(:shop)
end

# Runs it in as many threads as the application has, each with a connection of its own; returns their results.
def in_threads(count = THREADS)
  threads = Array.new(count) do |number|
    Thread.new do
      Thread.current.report_on_exception = false
      ActiveRecord::Base.connection_pool.with_connection { |connection| yield number, connection }
    end
  end
  threads.map(&:value)
ensure
  threads&.each(&:kill)
end

# A migrator in a process of its own: its pipes are the block's.
def migrator(folder, &block)
  IO.popen([RbConfig.ruby, "#{HERE}/migrate.rb", folder], "r+", &block)
end
