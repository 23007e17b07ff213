package dev.mullion.framing.testing.comparison;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultsTest {
  private static final Results RESULTS = new Results(
      Map.of("title", "Frames", "base", "b", "machine", "m", "method", "3 rounds"),
      List.of(
          run("a", 1, 1_000, 0.5),
          run("b", 1, 4_000, 1),
          run("a", 2, 900_000, 1),
          run("b", 2, 600_000, 1),
          run("a", 3, 3_000, 1),
          run("b", 3, 4_000, 1)));

  private static final Results WAYS = new Results(
      RESULTS.header(),
      List.of(
          run("a", 1, 3, 1).named("one: tiny 16 B"),
          run("b", 1, 2, 1).named("one: tiny 16 B"),
          run("a", 1, 1, 1).named("one: huge 1 MiB"),
          run("b", 1, 2, 1).named("one: huge 1 MiB"),
          run("a", 1, 2, 1).named("other: tiny 16 B"),
          run("b", 1, 2, 1).named("other: tiny 16 B")));

  private static final Comparison.Server B = new Comparison.Server("b", ResultsTest.class, "");

  private static Results.Run run(String server, int round, long completed, double cpuSeconds) {
    return new Results.Run("tiny 1 x 1", server, round, completed, 1, cpuSeconds);
  }

  @Test
  void ratioIsThatOfEachRound() {
    assertThat(RESULTS.ratio("tiny 1 x 1", "a")).isEqualTo(new Results.Spread(0.5, 0.75, 1.5));
    assertThat(RESULTS.ratio("tiny 1 x 1", "b")).isEqualTo(new Results.Spread(1, 1, 1));
  }

  @Test
  void medianOfAnEvenNumberIsBetweenTheTwoInTheMiddle() {
    assertThat(Results.Spread.of(List.of(4.0, 1.0, 3.0, 9.0)))
        .isEqualTo(new Results.Spread(1, 3.5, 9));
  }

  @Test
  void tableHasMediansAndRatios() {
    assertThat(RESULTS.markdown()).isEqualTo("""
        | load | a | b |
        | --- | --- | --- |
        | tiny 1 x 1 | 3,000 = **0.75** (0.50 to 1.50) | 4,000 |

        Measured on: m. 3 rounds.
        """);
  }

  @Test
  void tableOfASetHasARowForEachWayAndAColumnForEachSize() {
    assertThat(ComparisonSet.table(WAYS)).isEqualTo("""
        | way | tiny | huge |
        | --- | --- | --- |
        | one | **1.50** (1.50 to 1.50) | **0.50** (0.50 to 0.50) |
        | other | **1.00** (1.00 to 1.00) |  |

        Measured on: m. 3 rounds.
        """);
    assertThat(ComparisonSet.shortfalls(WAYS))
        .isEqualTo("below 1:\n  one: huge 1 MiB **0.50** (0.50 to 0.50)");
  }

  @Test
  void tableIsReplacedInItsPlace() {
    String page = "a\n<!-- x.csv -->\nold\n<!-- end of x.csv -->\nb\n";

    assertThat(PerformancePage.replacedTable(page, "x.csv", "new\n"))
        .isEqualTo("a\n<!-- x.csv -->\n\nnew\n\n<!-- end of x.csv -->\nb\n");
    assertThat(PerformancePage.replacedTable(page, "y.csv", "new\n")).isEqualTo(page);
  }

  /** It replaced the complete results, and their table. */
  @Test
  void partOfASetIsNotShown(@TempDir Path module) throws Exception {
    Path readme =
        Files.writeString(module.resolve("README.md"), "<!-- x.csv -->\n<!-- end of x.csv -->\n");
    String directory = Files.createDirectory(module.resolve("performance")).toString();
    ComparisonSet set = new ComparisonSet("x", List.of());

    for (String option : List.of("--loads", "--ways")) {
      ComparisonOptions some = ComparisonOptions.parse("--directory", directory, option, "one");
      String done = set.write(WAYS, some);
      assertThat(done).contains("x-part.csv", "complete runs only");
    }
    assertThat(readme).content().doesNotContain("Measured on");
    assertThat(module.resolve("performance/x.csv")).doesNotExist();

    ComparisonOptions complete = ComparisonOptions.parse("--directory", directory);
    assertThat(set.write(WAYS, complete)).endsWith("x.csv and README.md");
    assertThat(readme).content().contains(ComparisonSet.table(WAYS));
    assertThat(module.resolve("performance/x.csv")).exists();

    Files.writeString(readme, "no table");
    assertThat(set.write(WAYS, complete)).contains("there is no README.md with <!-- x.csv -->");
  }

  @Test
  void partOfASetIsMerged(@TempDir Path directory) throws Exception {
    Path csv = directory.resolve("x.csv");
    ComparisonOptions options = ComparisonOptions.parse(
        "--directory", directory.toString(), "--ways", "one", "--merge", "true");
    Comparison one = new Comparison("one", "frames", ResultsTest.class, List.of(), List.of(B));
    ComparisonSet set = new ComparisonSet("x", List.of(one));

    set.checkMerge(options);
    set.write(WAYS, options);
    assertThat(Results.read(csv).runs()).isEqualTo(WAYS.runs());
    assertThatThrownBy(() -> set.checkMerge(options))
        .hasMessageStartingWith("--merge: " + csv + " has machine \"m\" (expected: \"");

    new Results(one.header(options), WAYS.runs()).write(csv);
    set.checkMerge(options);
    Results.Run faster = run("a", 1, 8, 1).named("one: huge 1 MiB");
    Results.Run base = run("b", 1, 2, 1).named("one: huge 1 MiB");
    Results.Run added = run("a", 1, 8, 1).named("other: huge 1 MiB");
    set.write(new Results(one.header(options), List.of(faster, base, added)), options);
    assertThat(Results.read(csv).runs())
        .containsExactly(
            WAYS.runs().get(0),
            WAYS.runs().get(1),
            faster,
            base,
            WAYS.runs().get(4),
            WAYS.runs().get(5),
            added);
  }

  @Test
  void fileHasAllOfIt(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("results.csv");

    RESULTS.write(file);

    assertThat(Results.read(file)).isEqualTo(RESULTS);
  }

  @Test
  void chartHasOneBarForEachServer() throws Exception {
    String chart = BarChart.of(RESULTS);

    PerformancePage.requireWellFormed(chart);
    assertThat(chart.split("<rect class=\"s0\"", -1)).hasSize(3);
    assertThat(chart).contains(">0.75<", ">1.00<", ">tiny<", ">1 x 1<");
  }
}
