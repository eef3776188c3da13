import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Objects;
import org.postgresql.PGConnection;

public class JdbcDriver {
    static final String WHO = System.getenv("DRIVER_ID");

    static void must(Object got, Object want) {
        if (!Objects.equals(got, want)) throw new AssertionError("got " + got + ", want " + want);
    }

    static int count(Connection db) throws SQLException {
        try (PreparedStatement asked = db.prepareStatement("SELECT count(*) FROM work WHERE who = ?")) {
            asked.setString(1, WHO);
            ResultSet rows = asked.executeQuery();
            rows.next();
            return rows.getInt(1);
        }
    }

    static int rowsOf(PreparedStatement asked) throws SQLException {
        int rows = 0;
        for (ResultSet result = asked.executeQuery(); result.next();) rows++;
        return rows;
    }

    static void typedQueries(Connection db) throws SQLException {
        String sql = "SELECT 42, 9007199254740993::int8, 1.50::numeric, 'snö'::text, true, NULL::int";
        try (PreparedStatement asked = db.prepareStatement(sql)) {
            for (int round = 0; round < 10; round++) {  // from the fifth on in binary
                ResultSet row = asked.executeQuery();
                row.next();
                must(row.getInt(1), 42);
                must(row.getLong(2), 9007199254740993L);
                must(row.getBigDecimal(3).toString(), "1.50");
                must(row.getString(4), "snö");
                must(row.getBoolean(5), true);
                must(row.getObject(6), null);
            }
        }
    }

    static void preparedStatements(Connection db) throws SQLException {
        try (PreparedStatement twice = db.prepareStatement("SELECT ?::int * 2")) {
            for (int number = 0; number < 20; number++) {
                twice.setInt(1, number);
                ResultSet row = twice.executeQuery();
                row.next();
                must(row.getInt(1), number * 2);
            }
        }
        try (PreparedStatement insert = db.prepareStatement("INSERT INTO work VALUES (?, 8)")) {
            for (int number = 0; number < 500; number++) {  // a batch: many Binds, one Sync
                insert.setString(1, WHO);
                insert.addBatch();
            }
            must(insert.executeBatch().length, 500);
        }
        db.createStatement().execute("DELETE FROM work WHERE n = 8 AND who = '" + WHO + "'");
    }

    static void transactions(Connection db) throws SQLException {
        db.setAutoCommit(false);
        db.createStatement().execute("INSERT INTO work VALUES ('" + WHO + "', 1)");
        db.commit();
        db.createStatement().execute("INSERT INTO work VALUES ('" + WHO + "', 2)");
        db.rollback();
        must(count(db), 1);
        try {  // autosave=always: the transaction goes on after an error
            db.createStatement().executeQuery("SELECT 1/0");
            throw new AssertionError("no error");
        } catch (SQLException error) {
            must(error.getSQLState(), "22012");
        }
        must(count(db), 1);
        db.commit();
    }

    static void largeResult(Connection db) throws SQLException {
        String sql = "SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n";
        try (PreparedStatement large = db.prepareStatement(sql)) {
            large.setFetchSize(1000);  // portals, because autocommit is off
            must(rowsOf(large), 20000);
            must(rowsOf(large), 20000);
        }
        db.commit();
        db.setAutoCommit(true);
        try (PreparedStatement large = db.prepareStatement(sql)) {
            must(rowsOf(large), 20000);
        }
    }

    static void copy(Connection db) throws Exception {
        var copies = db.unwrap(PGConnection.class).getCopyAPI();
        String rows = (WHO + "\t7\n").repeat(1000);
        must(copies.copyIn("COPY work FROM STDIN", new StringReader(rows)), 1000L);
        must(count(db), 1001);
    }

    public static void main(String[] arguments) throws Exception {
        String url = String.format("jdbc:postgresql://%s:%s/%s?prepareThreshold=1&autosave=always&sslmode=disable",
            System.getenv("PGHOST"), System.getenv("PGPORT"), System.getenv("PGDATABASE"));
        String user = System.getenv("PGUSER"), password = System.getenv("PGPASSWORD");
        try (Connection db = DriverManager.getConnection(url, user, password)) {
            typedQueries(db);
            preparedStatements(db);
            transactions(db);
            largeResult(db);
            copy(db);
        }
        System.out.println("OK");
    }
}
