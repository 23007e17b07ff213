package dev.mullion.rpc.benchmark;

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
class GreeterComparisonTest {
  @Test
  void measuresServers() throws Exception {
    // Those left out differ from these in one setting.
    Results results = GreeterComparison.comparison()
        .only("RpcServer", "grpc-java direct")
        .measure(ComparisonOptions.shortest("4x25"));

    assertThat(results.runs())
        .extracting(Results.Run::server)
        .containsExactly("RpcServer", "grpc-java direct");
    assertThat(results.runs())
        .allSatisfy(run -> assertThat(run.completed()).isPositive())
        .allSatisfy(run -> assertThat(run.perCpuSecond()).isPositive().isFinite());
    PerformancePage.requireWellFormed(BarChart.of(results));
  }

  /** What the README shows is what the last comparison measured. */
  @Test
  void pageShowsTheResults() throws Exception {
    PerformancePage.requireShown(Path.of("README.md"), Path.of("performance"), "grpc");
  }
}
