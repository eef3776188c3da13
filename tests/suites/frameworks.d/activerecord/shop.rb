require "active_record"
require "erb"
require "yaml"

$stdout.sync = true
HERE = __dir__
ActiveRecord::Base.configurations =
  YAML.safe_load(ERB.new(File.read("#{HERE}/database.yml")).result, aliases: true)
ActiveRecord::Base.establish_connection(:shop)
ActiveRecord::Migration.verbose = false
ActiveRecord::Base.default_timezone = :utc
ActiveRecord::Base.belongs_to_required_by_default = true

class Account < ActiveRecord::Base
  has_many :entries
  validates :name, presence: true, uniqueness: true
end

class Entry < ActiveRecord::Base
  belongs_to :account
end

class Marker < ActiveRecord::Base
end

def migrations(folder)
  ActiveRecord::MigrationContext.new("#{HERE}/db/#{folder}", ActiveRecord::SchemaMigration)
end
