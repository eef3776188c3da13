# migrate.rb FOLDER: one migrator, as `rails db:migrate` is one; its last line says what came of it.
require_relative "shop"

begin
  migrations(ARGV.fetch(0)).migrate
  puts "migrated"
rescue ActiveRecord::ConcurrentMigrationError
  puts "somebody else migrates"
end
