package dev.mullion.rpc;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.StatusOr;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;

/** Resolves any target to the addresses that were given to the builder. */
final class FixedAddresses extends NameResolver.Factory {
  static final String SCHEME = "addresses";

  private final List<EquivalentAddressGroup> groups;
  private final String authority;

  FixedAddresses(List<InetSocketAddress> addresses) {
    groups = addresses.stream().map(EquivalentAddressGroup::new).toList();
    InetSocketAddress first = addresses.get(0);
    authority = first.getHostString() + ":" + first.getPort();
  }

  @Override
  public String getDefaultScheme() {
    return SCHEME;
  }

  @Override
  public NameResolver newNameResolver(URI target, NameResolver.Args args) {
    return new NameResolver() {
      @Override
      public String getServiceAuthority() {
        return authority;
      }

      @Override
      public void start(Listener2 listener) {
        listener.onResult2(ResolutionResult.newBuilder()
            .setAddressesOrError(StatusOr.fromValue(groups))
            .build());
      }

      @Override
      public void shutdown() {}
    };
  }
}
