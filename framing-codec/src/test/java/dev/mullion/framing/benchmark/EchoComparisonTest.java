package dev.mullion.framing.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.comparison.BarChart;
import dev.mullion.framing.testing.comparison.ComparisonOptions;
import dev.mullion.framing.testing.comparison.PerformancePage;
import dev.mullion.framing.testing.comparison.Results;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the comparison measures is of no interest here: only that it can be run. */
@Timeout(120)
class EchoComparisonTest {
  @Test
  void measuresEachServer() throws Exception {
    Results results = EchoComparison.comparison().measure(ComparisonOptions.shortest("small"));

    assertThat(results.runs())
        .extracting(Results.Run::server)
        .containsExactly("Mullion", "Netty's codec", "Netty without frames");
    assertThat(results.runs())
        .allSatisfy(run -> assertThat(run.completed()).isPositive())
        .allSatisfy(run -> assertThat(run.perCpuSecond()).isPositive().isFinite());
    PerformancePage.requireWellFormed(BarChart.of(results));
  }

  /** What the README shows is what the last comparison measured. */
  @Test
  void pageShowsTheResults() throws Exception {
    PerformancePage.requireShown(Path.of("README.md"), Path.of("performance"), "echo");
  }
}
