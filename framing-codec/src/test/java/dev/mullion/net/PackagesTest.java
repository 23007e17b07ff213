package dev.mullion.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.PackageDependencies;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The packages depend on each other in one direction. */
class PackagesTest {
  @Test
  void eachPackageKnowsOnlyThoseBelowIt() throws Exception {
    assertThat(PackageDependencies.of(Tls.class))
        .isEqualTo(Map.of(
            "net", Set.of(),
            "net.base", Set.of("net"),
            "framing", Set.of("net.base"),
            "framing.tcp", Set.of("framing", "net", "net.base")));
  }
}
