package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.PackageDependencies;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** gRPC stands on what all servers have in common, and knows nothing of framing. */
class PackagesTest {
  @Test
  void eachPackageKnowsOnlyThoseBelowIt() throws Exception {
    assertThat(PackageDependencies.of(RpcServer.class))
        .isEqualTo(Map.of("rpc", Set.of("net", "net.base"), "rpc.greeter", Set.of("rpc")));
  }
}
