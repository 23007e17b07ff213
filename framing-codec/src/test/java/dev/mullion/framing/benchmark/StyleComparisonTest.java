package dev.mullion.framing.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.comparison.ComparisonOptions;
import dev.mullion.framing.testing.comparison.ComparisonSet;
import dev.mullion.framing.testing.comparison.Results;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the comparison measures is of no interest here: only that it can be run. */
@Timeout(240)
class StyleComparisonTest {
  @Test
  void measuresEachWay() throws Exception {
    Results all = StyleComparison.comparisons().measure(ComparisonOptions.shortest("tiny"));

    assertThat(all.runs())
        .extracting(run -> run.load().split(":", 2)[0])
        .contains(
            "handler on platform threads",
            "batchHandler that rewrites",
            "reactiveHandler",
            "request with 1 in flight",
            "request with 64 in flight",
            "TLS of the JDK");
    assertThat(all.runs()).extracting(Results.Run::server).containsOnly("Mullion", "Netty");
    assertThat(all.runs()).allSatisfy(run -> assertThat(run.completed()).isPositive());
    assertThat(ComparisonSet.table(all)).contains("| way | tiny |", "| reactiveHandler | **");
  }

  /** What the README shows is what the last comparison measured. */
  @Test
  void pageShowsTheResults() throws Exception {
    Path csv = Path.of("performance", "styles.csv");
    assertThat(Path.of("README.md")).content().contains(ComparisonSet.table(Results.read(csv)));
  }
}
