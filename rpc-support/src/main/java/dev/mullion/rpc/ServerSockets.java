package dev.mullion.rpc;

import dev.mullion.net.base.TlsReloader;
import dev.mullion.net.base.UnixSocketFile;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerCredentials;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.NettySslContextServerCredentials;
import io.netty.channel.ChannelOption;
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

/** Where a server listens, with TLS or without. */
final class ServerSockets implements AutoCloseable {
  private final RpcServerBuilder settings;

  /** Empty if it has a name in this process instead. */
  private final List<SocketAddress> wanted;

  private final @Nullable TlsReloader tls;

  private volatile @Nullable UnixSocketFile socketFile;

  private ServerSockets(
      RpcServerBuilder settings, List<SocketAddress> wanted, @Nullable TlsReloader tls) {
    this.settings = settings;
    this.wanted = wanted;
    this.tls = tls;
  }

  /** Resolves names and reads files, and listens nowhere yet. */
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

  /** Returns a builder of a server that listens there, for connections that the gate lets in. */
  NettyServerBuilder builder(ConnectionGate gate) throws IOException {
    ServerCredentials credentials = tls == null
        ? InsecureServerCredentials.create()
        : NettySslContextServerCredentials.create(tls.context());
    UnixSocketFile file = settings.path == null ? null : UnixSocketFile.at(settings.path);
    SocketAddress first = file == null ? wanted.get(0) : UnixDomainSocketAddress.of(file.beside());
    NettyServerBuilder builder = NettyServerBuilder.forAddress(first, gate.before(credentials));
    wanted.stream().skip(1).forEach(builder::addListenAddress);
    if (file != null) {
      socketFile = file;
      builder
          .channelType(NioServerDomainSocketChannel.class)
          .bossEventLoopGroup(UnixLoops.ALL)
          .workerEventLoopGroup(UnixLoops.ALL)
          // gRPC sets it, and Netty warns at each connection that there is no such option here.
          .withChildOption(ChannelOption.SO_KEEPALIVE, null);
    }
    return builder;
  }

  TlsReloader tls() {
    if (tls == null) {
      throw new IllegalStateException("server has no TLS (expected: tls of the builder)");
    }
    return tls;
  }

  /** Gives the file of a server that listens its name. Until then nobody finds it. */
  void publish() throws IOException {
    UnixSocketFile file = socketFile;
    Exception failed = file == null ? null : file.publish();
    if (failed != null) {
      BindException clear =
          new BindException("cannot listen on " + file + ": " + failed.getMessage());
      clear.initCause(failed);
      throw clear;
    }
  }

  /** Removes the file of a server that still listens, unless a successor's is there. */
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

  /** Returns where a server that has started listens, in the order of the settings. */
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
    // Any free port may be that of any address, so these come last.
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

  /** That of all interfaces may come back as the one of IPv6. */
  private static boolean isSame(InetAddress wanted, InetAddress bound) {
    return wanted.equals(bound) || (wanted.isAnyLocalAddress() && bound.isAnyLocalAddress());
  }

  /** Returns a failure to listen with the address in it. */
  IOException clear(IOException failed) {
    if (settings.inProcessName != null) {
      return new BindException(
          "cannot listen on inProcessName " + settings.inProcessName + ": it is in use");
    }
    Throwable cause = failed.getCause() == null ? failed : failed.getCause();
    BindException clear =
        new BindException("cannot listen on " + failing(failed) + ": " + cause.getMessage());
    clear.initCause(failed);
    return clear;
  }

  /** gRPC names the address at the end. */
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
