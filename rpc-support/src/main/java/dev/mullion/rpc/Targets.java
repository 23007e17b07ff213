package dev.mullion.rpc;

import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Targets that gRPC cannot call by itself everywhere. */
final class Targets {
  private static final String UNIX = "unix:";
  private static final String XDS = "xds:";

  private Targets() {}

  /** Returns the path of {@code unix:path} or {@code unix:///path}, or null of any other target. */
  static @Nullable Path unixSocket(@Nullable String target) {
    if (target == null || !target.startsWith(UNIX)) {
      return null;
    }
    String path = target.substring(UNIX.length());
    if (path.startsWith("//")) {
      path = path.substring(2);
      if (!path.startsWith("/")) {
        throw new IllegalStateException(
            "target: " + target + " (expected: unix:path or unix:///path)");
      }
    }
    if (path.isEmpty()) {
      throw new IllegalStateException(
          "target: " + target + " (expected: unix:path or unix:///path)");
    }
    return Path.of(path);
  }

  /** By the JDK's sockets: gRPC's own way needs a native library. */
  static NettyChannelBuilder forUnixSocket(Path path) {
    return NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(path))
        .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
        .eventLoopGroup(UnixSocket.eventLoops())
        // gRPC sets it, and Netty warns at each connection that there is no such option here.
        .withOption(ChannelOption.SO_KEEPALIVE, null)
        .overrideAuthority("localhost");
  }

  /** Returns the target, if what it needs is there. */
  static String known(String target) {
    if (target.startsWith(XDS)) {
      try {
        Class.forName("io.grpc.xds.XdsNameResolverProvider", false, Targets.class.getClassLoader());
      } catch (ClassNotFoundException absent) {
        throw new IllegalStateException(
            "target: " + target + " needs io.grpc:grpc-xds on the class path", absent);
      }
    }
    return target;
  }
}
