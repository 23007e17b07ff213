package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.TlsReloader;
import dev.mullion.net.base.UnixSocketFile;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.NettySslContextServerCredentials;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The sockets that a server listens on, with or without TLS. */
final class ServerSockets implements AutoCloseable {
  private final RpcServerBuilder settings;

  /** Empty for an in-process server. */
  private final List<SocketAddress> wanted;

  private final @Nullable TlsReloader tls;

  private volatile @Nullable UnixSocketFile socketFile;

  /** Null for an in-process server. */
  private volatile @Nullable ConnectionGate gate;

  private ServerSockets(
      RpcServerBuilder settings, List<SocketAddress> wanted, @Nullable TlsReloader tls) {
    this.settings = settings;
    this.wanted = wanted;
    this.tls = tls;
  }

  /** Resolves names and reads files, but does not listen yet. */
  static ServerSockets of(RpcServerBuilder settings, RpcCounters counters) throws IOException {
    check(settings);
    List<SocketAddress> wanted = wanted(settings);
    TlsReloader tls =
        settings.tls == null ? null : RpcTls.read(settings.tls, counters.tlsReloadsFailed);
    return new ServerSockets(settings, wanted, tls);
  }

  private static void check(RpcServerBuilder settings) {
    boolean hostOrPort = settings.host != null || settings.port >= 0;
    boolean several = !settings.addresses.isEmpty();
    if (settings.inProcessName != null
        && (hostOrPort
            || several
            || settings.path != null
            || settings.tls != null
            || settings.keepalive != null)) {
      throw new IllegalStateException("inProcessName: " + settings.inProcessName
          + " (expected: neither host, port, address, path, tls nor keepalive set)");
    }
    if (settings.path != null && (hostOrPort || several)) {
      throw new IllegalStateException(
          "path: " + settings.path + " (expected: neither host, port nor address set)");
    }
    if (several && hostOrPort) {
      InetSocketAddress first = settings.addresses.get(0);
      throw new IllegalStateException("address: " + first.getHostString() + ":" + first.getPort()
          + " (expected: neither host nor port set)");
    }
  }

  private static List<SocketAddress> wanted(RpcServerBuilder settings) throws UnknownHostException {
    if (settings.inProcessName != null) {
      return List.of();
    }
    if (settings.path != null) {
      return List.of(UnixDomainSocketAddress.of(settings.path));
    }
    if (settings.addresses.isEmpty()) {
      String host = settings.host == null ? "127.0.0.1" : settings.host;
      return List.of(resolved(host, Math.max(0, settings.port)));
    }
    List<SocketAddress> resolved = new ArrayList<>();
    for (InetSocketAddress each : settings.addresses) {
      resolved.add(resolved(each.getHostString(), each.getPort()));
    }
    return List.copyOf(resolved);
  }

  private static InetSocketAddress resolved(String host, int port) throws UnknownHostException {
    InetSocketAddress address = new InetSocketAddress(host, port);
    if (address.isUnresolved()) {
      throw new UnknownHostException("host: " + host + " (expected: a name that can be resolved)");
    }
    return address;
  }

  /**
   * Returns a builder of a server that listens on these sockets, for connections that pass the
   * gate.
   */
  NettyServerBuilder builder(ConnectionGate gate) throws IOException {
    this.gate = gate;
    ServerCredentials credentials = tls == null
        ? InsecureServerCredentials.create()
        : NettySslContextServerCredentials.create(tls.context());
    UnixSocketFile file = settings.path == null ? null : UnixSocketFile.at(settings.path);
    SocketAddress first = file == null ? wanted.get(0) : UnixDomainSocketAddress.of(file.beside());
    NettyServerBuilder builder = NettyServerBuilder.forAddress(first, gate.wrap(credentials));
    wanted.stream().skip(1).forEach(builder::addListenAddress);
    if (file != null) {
      socketFile = file;
      EventLoopGroup loops = UnixLoops.all();
      builder
          .channelType(NioServerDomainSocketChannel.class)
          .bossEventLoopGroup(loops)
          .workerEventLoopGroup(loops)
          // gRPC sets this option, and Netty would warn at each connection that it is unknown.
          .withChildOption(ChannelOption.SO_KEEPALIVE, null);
    }
    return builder;
  }

  TlsReloader tls() {
    return Check.hasTls(tls, "server");
  }

  /**
   * Moves the socket file of a listening server to its final name. Until then clients cannot find
   * it.
   */
  void publish() throws IOException {
    UnixSocketFile file = socketFile;
    Exception failed = file == null ? null : file.publish();
    if (failed != null) {
      BindException explained =
          new BindException("cannot listen on " + file + ": " + failed.getMessage());
      explained.initCause(failed);
      throw explained;
    }
  }

  /** Removes the socket file of a server that still listens, unless a successor has replaced it. */
  void removeFile() {
    UnixSocketFile file = socketFile;
    try {
      if (file != null) {
        file.remove();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot remove " + file, e);
    }
  }

  /** Closes the connections that are still open after a time, without waiting for their peers. */
  void closeAfter(long nanos) {
    ConnectionGate present = gate;
    if (present != null) {
      present.sockets().closeAfter(nanos);
    }
  }

  /** Returns the addresses of a started server, in the order of the settings. */
  List<SocketAddress> started(Server server) {
    if (tls != null) {
      tls.start();
    }
    if (socketFile != null) {
      return wanted;
    }
    List<SocketAddress> left = new ArrayList<>(server.getListenSockets());
    if (left.size() == 1) {
      return List.copyOf(left);
    }
    SocketAddress[] inOrder = new SocketAddress[wanted.size()];
    // An ephemeral port may belong to any address, so these come last.
    for (boolean anyPort : new boolean[] {false, true}) {
      for (int i = 0; i < inOrder.length; i++) {
        InetSocketAddress each = (InetSocketAddress) wanted.get(i);
        if (anyPort == (each.getPort() == 0)) {
          inOrder[i] = take(left, each);
        }
      }
    }
    return List.copyOf(Arrays.asList(inOrder));
  }

  private static SocketAddress take(List<SocketAddress> left, InetSocketAddress wanted) {
    for (SocketAddress each : left) {
      if (each instanceof InetSocketAddress bound
          && (wanted.getPort() == 0 || wanted.getPort() == bound.getPort())
          && isSame(wanted.getAddress(), bound.getAddress())) {
        left.remove(each);
        return each;
      }
    }
    return left.remove(0);
  }

  /** The wildcard address may come back as the one of IPv6. */
  private static boolean isSame(InetAddress wanted, InetAddress bound) {
    return wanted.equals(bound) || (wanted.isAnyLocalAddress() && bound.isAnyLocalAddress());
  }

  /** Returns a failure to listen that names the address. */
  IOException explained(IOException failed) {
    if (settings.inProcessName != null) {
      return new BindException(
          "cannot listen on inProcessName " + settings.inProcessName + ": it is in use");
    }
    Throwable cause = failed.getCause() == null ? failed : failed.getCause();
    BindException explained =
        new BindException("cannot listen on " + failing(failed) + ": " + cause.getMessage());
    explained.initCause(failed);
    return explained;
  }

  /** gRPC starts with other exceptions if, for instance, no file descriptor is free. */
  IOException explained(RuntimeException failed) {
    return new IOException(
        "cannot listen on " + failing(new IOException(failed)) + ": " + failed
            + " (there may be too many open files)",
        failed);
  }

  /** gRPC appends the address to the message. */
  private String failing(IOException failed) {
    String message = String.valueOf(failed.getMessage());
    for (SocketAddress each : wanted) {
      if (message.endsWith(" " + each)) {
        return each.toString();
      }
    }
    return String.join(", ", wanted.stream().map(SocketAddress::toString).toList());
  }

  @Override
  public void close() {
    if (tls != null) {
      tls.close();
    }
  }
}
