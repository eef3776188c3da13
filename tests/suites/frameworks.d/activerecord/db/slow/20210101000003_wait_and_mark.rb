class WaitAndMark < ActiveRecord::Migration[6.1]
  # Says that it runs, and goes on when it is told to.
  def up
    $stdout.puts "inside"
    $stdin.gets
    execute "INSERT INTO markers (name) VALUES ('slow')"
  end

  def down; end
end
