package dev.mullion.rpc;

import com.google.common.net.HostAndPort;
import io.grpc.Attributes;
import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.Status;
import io.grpc.StatusOr;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Resolves any target to the servers that were given to the builder. Names are resolved again after
 * a connection has failed. A name that cannot be resolved is left out as long as another can be
 * resolved.
 */
final class SeveralAddresses extends NameResolver.Factory {
  static final String SCHEME = "several";

  private final List<InetSocketAddress> servers;

  /** Decides whether calls to an address go through a proxy, as gRPC does for a single address. */
  @FunctionalInterface
  interface Proxies {
    @Nullable
    SocketAddress of(InetSocketAddress unresolved) throws IOException;
  }

  /** The addresses need not be resolved. */
  SeveralAddresses(List<InetSocketAddress> servers) {
    this.servers = List.copyOf(servers);
  }

  @Override
  public String getDefaultScheme() {
    return SCHEME;
  }

  @Override
  public NameResolver newNameResolver(URI target, NameResolver.Args args) {
    return new Resolver(args.getOffloadExecutor(), args.getProxyDetector()::proxyFor);
  }

  StatusOr<List<EquivalentAddressGroup>> resolve(Proxies proxies) {
    List<EquivalentAddressGroup> groups = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (InetSocketAddress server : servers) {
      try {
        groups.add(resolve(server, proxies));
      } catch (UnknownHostException e) {
        unknown.add(server.getHostString());
      } catch (IOException e) {
        unknown.add(server.getHostString() + " (no proxy: " + e.getMessage() + ")");
      }
    }
    return groups.isEmpty()
        ? StatusOr.fromStatus(
            Status.UNAVAILABLE.withDescription("unknown hosts " + String.join(", ", unknown)))
        : StatusOr.fromValue(groups);
  }

  /** All addresses of one name are one server. With a proxy, the proxy resolves the name. */
  private static EquivalentAddressGroup resolve(InetSocketAddress server, Proxies proxies)
      throws IOException {
    List<SocketAddress> addresses = new ArrayList<>();
    SocketAddress proxied = proxies.of(server);
    if (proxied == null) {
      for (InetAddress each : InetAddress.getAllByName(server.getHostString())) {
        addresses.add(new InetSocketAddress(each, server.getPort()));
      }
    } else {
      addresses.add(proxied);
    }
    // For TLS, which would otherwise verify the first server's name in the certificate of each.
    Attributes own = Attributes.newBuilder()
        .set(EquivalentAddressGroup.ATTR_AUTHORITY_OVERRIDE, authority(server))
        .build();
    return new EquivalentAddressGroup(addresses, own);
  }

  private static String authority(InetSocketAddress server) {
    HostAndPort authority = HostAndPort.fromParts(server.getHostString(), server.getPort());
    return authority.toString();
  }

  private final class Resolver extends NameResolver {
    private final @Nullable Executor offload;
    private final Proxies proxies;
    private @Nullable Listener2 listener;

    Resolver(@Nullable Executor offload, Proxies proxies) {
      this.offload = offload;
      this.proxies = proxies;
    }

    @Override
    public String getServiceAuthority() {
      return authority(servers.get(0));
    }

    @Override
    public void start(Listener2 listener) {
      this.listener = listener;
      refresh();
    }

    /** Runs on another executor, since name servers may answer slowly. */
    @Override
    public void refresh() {
      Listener2 current = listener;
      if (current != null) {
        Executor executor = offload == null ? Runnable::run : offload;
        executor.execute(() -> current.onResult(
            ResolutionResult.newBuilder().setAddressesOrError(resolve(proxies)).build()));
      }
    }

    @Override
    public void shutdown() {}
  }
}
