package dev.mullion.framing.tcp;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.util.AttributeKey;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.net.StandardSocketOptions;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Socket options. */
final class Sockets {
  static final int MAX_READ = 256 * 1024;

  /** With TLS, where the bytes exist twice more, decrypted and encrypted again. */
  static final int MAX_SECURE_READ = 64 * 1024;

  private static final Map<SocketOption<?>, ChannelOption<?>> KNOWN = known();

  /** The address that a channel and its accepted channels report, instead of a temporary name. */
  private static final AttributeKey<SocketAddress> ADDRESS =
      AttributeKey.valueOf(Sockets.class, "ADDRESS");

  private Sockets() {}

  /** Sets the address that {@link #localAddress} returns for a listening channel. */
  static void setAddress(Channel listening, SocketAddress address) {
    listening.attr(ADDRESS).set(address);
  }

  /** Returns the local address of a channel. */
  static @Nullable SocketAddress localAddress(Channel channel) {
    Channel parent = channel.parent();
    SocketAddress set = (parent == null ? channel : parent).attr(ADDRESS).get();
    return set == null ? channel.localAddress() : set;
  }

  private static Map<SocketOption<?>, ChannelOption<?>> known() {
    Map<SocketOption<?>, ChannelOption<?>> known = new LinkedHashMap<>();
    known.put(StandardSocketOptions.TCP_NODELAY, ChannelOption.TCP_NODELAY);
    known.put(StandardSocketOptions.SO_KEEPALIVE, ChannelOption.SO_KEEPALIVE);
    known.put(StandardSocketOptions.SO_RCVBUF, ChannelOption.SO_RCVBUF);
    known.put(StandardSocketOptions.SO_SNDBUF, ChannelOption.SO_SNDBUF);
    known.put(StandardSocketOptions.SO_LINGER, ChannelOption.SO_LINGER);
    return known;
  }

  /** Returns Netty's equivalent of an option. */
  static ChannelOption<?> option(SocketOption<?> option) {
    ChannelOption<?> netty = KNOWN.get(option);
    if (netty == null) {
      throw new IllegalArgumentException(
          "option: " + option.name() + " (expected: one of " + KNOWN.keySet() + ")");
    }
    return netty;
  }

  /** The options of every connection. */
  static Map<ChannelOption<?>, Object> common(
      ConnectionSettings settings, Transport transport, boolean unix) {
    Map<ChannelOption<?>, Object> options = new LinkedHashMap<>();
    options.put(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT);
    options.put(
        ChannelOption.WRITE_BUFFER_WATER_MARK,
        waterMark(settings.outboundLow(), settings.outboundHigh()));
    // Netty's unix-domain sockets over NIO do not support it; see HalfClose.
    if (!unix || transport != Transport.NIO) {
      options.put(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }
    if (!unix) {
      options.put(ChannelOption.TCP_NODELAY, true);
    }
    return options;
  }

  /** Returns what the connections of one event loop read with, or one connection alone. */
  static ReadBuffers reads(ConnectionSettings settings, boolean secure) {
    return new ReadBuffers(secure ? MAX_SECURE_READ : MAX_READ, settings.budget());
  }

  /**
   * Netty resumes below its low mark, which is never reached with 0; there an empty queue must
   * suffice.
   */
  private static WriteBufferWaterMark waterMark(int low, int high) {
    int nettys = low == Integer.MAX_VALUE ? low : low + 1;
    return new WriteBufferWaterMark(nettys, Math.max(nettys, high));
  }
}
