package dev.mullion.framing.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.comparison.ComparisonOptions;
import dev.mullion.framing.testing.comparison.ComparisonSet;
import dev.mullion.framing.testing.comparison.Results;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the comparison measures is of no interest here: only that it can be run. */
@Timeout(240)
class StyleComparisonTest {
  @Test
  void measuresEachWay() throws Exception {
    Map<String, Results> all =
        StyleComparison.comparisons().measure(ComparisonOptions.shortest("small"));

    assertThat(all)
        .containsKeys(
            "handler, platform threads",
            "batchHandler, rewrites",
            "reactiveHandler",
            "request, 1 in flight",
            "request, 64 in flight",
            "TLS of the JDK");
    assertThat(all.values())
        .allSatisfy(results -> assertThat(results.runs())
            .extracting(Results.Run::server)
            .containsExactly("Mullion", "Netty"))
        .allSatisfy(results -> assertThat(results.runs())
            .allSatisfy(run -> assertThat(run.completed()).isPositive()));
    assertThat(ComparisonSet.table(all)).contains("| reactiveHandler | small");
  }
}
