class Mark < ActiveRecord::Migration[6.1]
  def up
    execute "INSERT INTO markers (name) VALUES ('quick')"
  end

  def down; end
end
