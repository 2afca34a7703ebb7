import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/**
 * Asks `serve --pg-listen` as Metabase, DBeaver and other programs on JDBC do, and prints a line for each thing that they
 * are told: AskJdbc.java PORT PASSWORD.
 */
class AskJdbc {
    private static void tell(String name, Object value) {
        System.out.println(name + "=" + value);
    }

    private static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    public static void main(String[] words) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", "any");
        properties.setProperty("password", words[1]);
        String url = "jdbc:postgresql://127.0.0.1:" + words[0] + "/events";
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            describe(connection.getMetaData());
            connection.setReadOnly(true);
            ask(connection);
        }
    }

    private static void describe(DatabaseMetaData told) throws SQLException {
        tell("version", told.getDatabaseProductVersion());
        tell("catalogs", column(told.getCatalogs(), "TABLE_CAT"));
        tell("schemas", column(told.getSchemas(), "TABLE_SCHEM"));
        tell("tables", column(told.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME"));
        tell("columns", column(told.getColumns(null, "public", "events", "%"), "COLUMN_NAME"));
        tell("types", column(told.getColumns(null, "public", "events", "%"), "TYPE_NAME"));
        tell("keys", column(told.getPrimaryKeys(null, "public", "events"), "COLUMN_NAME"));
        tell("imported", column(told.getImportedKeys(null, "public", "events"), "FKCOLUMN_NAME"));
        tell("indexes", column(told.getIndexInfo(null, "public", "events", false, false), "INDEX_NAME"));
        tell("kinds", column(told.getTableTypes(), "TABLE_TYPE").contains("TABLE"));
        tell("has_types", column(told.getTypeInfo(), "TYPE_NAME").contains("timestamptz"));
    }

    private static void ask(Connection connection) throws SQLException {
        String text = "select count(*) from events where service = ? and duration_ms > ? and timestamp > ?";
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            // From the sixth time on the driver keeps the statement, and speaks in binary.
            for (int time = 0; time < 8; time++) {
                statement.setString(1, "worker");
                statement.setDouble(2, 0.5);
                statement.setTimestamp(3, Timestamp.from(Instant.parse("2025-01-01T00:00:00Z")));
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    tell("count" + time, rows.getLong(1));
                }
            }
        }
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("select id, timestamp from events limit ?")) {
            statement.setFetchSize(100);
            statement.setInt(1, 1000);
            int all = 0;
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    all += rows.getTimestamp(2) == null ? 0 : 1;
                }
            }
            tell("fetched", all);
        }
        try (PreparedStatement statement = connection.prepareStatement("delete from events")) {
            statement.execute();
        } catch (SQLException refused) {
            tell("refused", refused.getSQLState());
        }
        connection.rollback();
    }
}
