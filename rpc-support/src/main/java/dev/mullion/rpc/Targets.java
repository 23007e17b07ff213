package dev.mullion.rpc;

import dev.mullion.net.base.Check;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Checks targets, and handles those that gRPC does not support everywhere. */
final class Targets {
  private static final String UNIX = "unix:";
  private static final String XDS = "xds:";
  private static final int MAX_PORT = 65535;

  /** Matches the port in {@code host:port}, {@code [::1]:port} and {@code dns:///host:port}. */
  private static final Pattern DNS_PORT =
      Pattern.compile("(?!unix:)(?:dns:(?://[^/]*/)?)?(?:[^/:]+|\\[[^/\\]]*\\]):(\\d+)");

  /** Matches a DNS name with a path, which gRPC would ignore. */
  private static final Pattern DNS_PATH =
      Pattern.compile("(?:dns:///?[^/]*/[^/]*/.*|dns:[^/]+/.*|(?!\\w+:/)[^/:\\[]+(?::\\d*)?/.*)");

  private Targets() {}

  /**
   * Returns the target if its port is valid. Otherwise a call would wait forever for gRPC to
   * resolve it.
   */
  static String checked(String target) {
    if (DNS_PATH.matcher(target).matches()) {
      throw new IllegalArgumentException("target: " + target
          + " (expected: such as localhost:50051 or dns:///host:50051, without a path)");
    }
    Matcher port = DNS_PORT.matcher(target);
    if (port.matches() && !isPort(port.group(1))) {
      throw new IllegalArgumentException(
          "target: " + target + " (expected: a port from 1 to " + MAX_PORT + ")");
    }
    return target;
  }

  private static boolean isPort(String text) {
    return text.length() <= 5 && Integer.parseInt(text) >= 1 && Integer.parseInt(text) <= MAX_PORT;
  }

  /** Builds a channel, and names the target if gRPC cannot read it. */
  static ManagedChannel build(@Nullable String target, ManagedChannelBuilder<?> builder) {
    try {
      return builder.build();
    } catch (IllegalArgumentException unreadable) {
      if (target == null) {
        throw unreadable;
      }
      throw new IllegalArgumentException(
          "target: " + target + " (expected: such as localhost:50051 or dns:///host:50051): "
              + unreadable.getMessage(),
          unreadable);
    }
  }

  /**
   * Returns the path of {@code unix:path} or {@code unix:///path}, or null for any other target.
   */
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

  /** Uses the JDK's sockets, since gRPC's own support needs a native library. */
  static NettyChannelBuilder forUnixSocket(Path path) throws IOException {
    return NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(path))
        .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
        .eventLoopGroup(UnixLoops.all())
        // gRPC sets this option, and Netty would warn at each connection that it is unknown.
        .withOption(ChannelOption.SO_KEEPALIVE, null)
        .overrideAuthority("localhost");
  }

  /** Returns the target if the library that it needs is present. */
  static String known(String target) {
    if (target.startsWith(XDS)) {
      Check.present(
          Targets.class,
          "target: " + target,
          "io.grpc.xds.XdsNameResolverProvider",
          "io.grpc:grpc-xds",
          "io.grpc.xds");
    }
    return target;
  }
}
