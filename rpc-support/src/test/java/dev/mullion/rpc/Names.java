package dev.mullion.rpc;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.StatusOr;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;

/** Resolves each name of a scheme, such as {@code names:///}, to the same addresses. */
final class Names extends NameResolverProvider {
  private final String scheme;
  private final List<EquivalentAddressGroup> addresses;

  Names(List<SocketAddress> addresses) {
    this("names", addresses);
  }

  Names(String scheme, List<SocketAddress> addresses) {
    this.scheme = scheme;
    this.addresses = addresses.stream().map(EquivalentAddressGroup::new).toList();
  }

  /** Takes part until what is returned is closed. */
  AutoCloseable register() {
    NameResolverRegistry.getDefaultRegistry().register(this);
    return () -> NameResolverRegistry.getDefaultRegistry().deregister(this);
  }

  @Override
  public NameResolver newNameResolver(URI target, NameResolver.Args args) {
    return new NameResolver() {
      @Override
      public String getServiceAuthority() {
        return "greeter";
      }

      @Override
      public void start(Listener2 listener) {
        listener.onResult(ResolutionResult.newBuilder()
            .setAddressesOrError(StatusOr.fromValue(addresses))
            .build());
      }

      @Override
      public void shutdown() {}
    };
  }

  @Override
  public String getDefaultScheme() {
    return scheme;
  }

  @Override
  protected boolean isAvailable() {
    return true;
  }

  @Override
  protected int priority() {
    return 5;
  }
}
