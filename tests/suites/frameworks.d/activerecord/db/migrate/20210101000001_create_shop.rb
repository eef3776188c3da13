class CreateShop < ActiveRecord::Migration[6.1]
  def change
    enable_extension "pgcrypto"
    create_table :accounts do |t|
      t.string :name, null: false, index: { unique: true }
      t.integer :balance, null: false, default: 100
      t.integer :lock_version, null: false, default: 0
      t.uuid :token, null: false, default: -> { "gen_random_uuid()" }
      t.timestamps
    end
    create_table :entries do |t|
      t.references :account, null: false, foreign_key: true
      t.integer :amount, null: false
      t.jsonb :detail, null: false, default: {}
      t.timestamps
    end
    create_table(:markers) { |t| t.string :name }
  end
end
