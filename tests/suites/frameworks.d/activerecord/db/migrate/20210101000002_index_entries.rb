class IndexEntries < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def change
    add_index :entries, %i[account_id amount], algorithm: :concurrently
  end
end
