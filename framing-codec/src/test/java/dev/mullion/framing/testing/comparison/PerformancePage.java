package dev.mullion.framing.testing.comparison;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** Checks that a README shows what was measured. */
public final class PerformancePage {
  private PerformancePage() {}

  /**
   * Table and chart must be those of the results.
   *
   * @param directory has {@code <name>.csv} and {@code <name>.svg}
   */
  public static void requireShown(Path readme, Path directory, String name) throws Exception {
    Results results = Results.read(directory.resolve(name + ".csv"));
    String page = Files.readString(readme);
    if (!page.contains(results.markdown())) {
      throw new AssertionError(
          readme + " (expected: this table, of " + name + ".csv)\n" + results.markdown());
    }
    Path chart = directory.resolve(name + ".svg");
    if (!page.contains("](" + directory + "/" + name + ".svg)")) {
      throw new AssertionError(readme + " (expected: a link to " + chart + ")");
    }
    String drawn = Files.readString(chart);
    if (!drawn.equals(BarChart.of(results))) {
      throw new AssertionError(chart + " (expected: the chart of " + name + ".csv)");
    }
    requireWellFormed(drawn);
  }

  /**
   * Puts a table into the README above a directory, between the comments {@code <!-- x.csv -->} and
   * {@code <!-- end of x.csv -->}. Returns whether there is such a place.
   */
  static boolean replaceTable(Path directory, String csv, String table) throws IOException {
    Path readme = directory.resolve("..").resolve("README.md");
    if (!Files.exists(readme)) {
      return false;
    }
    String page = replacedTable(Files.readString(readme), csv, table);
    Files.writeString(readme, page);
    return page.contains(table);
  }

  static String replacedTable(String page, String csv, String table) {
    int begin = page.indexOf("<!-- " + csv + " -->\n");
    int end = page.indexOf("<!-- end of " + csv + " -->\n");
    if (begin < 0 || end < begin) {
      return page;
    }
    int start = page.indexOf('\n', begin) + 1;
    return page.substring(0, start) + "\n" + table + "\n" + page.substring(end);
  }

  /** It must be XML that can be read. */
  public static void requireWellFormed(String picture)
      throws IOException, ParserConfigurationException, SAXException {
    DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(picture)));
  }
}
