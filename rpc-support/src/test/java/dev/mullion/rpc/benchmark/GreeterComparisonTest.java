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
  void measuresEachServer() throws Exception {
    Results results = GreeterComparison.comparison().measure(ComparisonOptions.shortest("4x25"));

    assertThat(results.runs())
        .extracting(Results.Run::server)
        .containsExactly("RpcServer", "RpcServer direct", "grpc-java direct", "grpc-java");
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
