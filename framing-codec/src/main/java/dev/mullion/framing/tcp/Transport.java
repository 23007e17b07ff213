package dev.mullion.framing.tcp;

import dev.mullion.net.base.Check;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.net.UnixDomainSocketAddress;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The kind of sockets in use. All except {@link #NIO} need Netty's classes and native library on
 * the class path, for instance {@code io.netty:netty-transport-classes-epoll} and {@code
 * io.netty:netty-transport-native-epoll} with the classifier {@code linux-x86_64}. On a module path
 * both must also be named by {@code --add-modules}.
 */
public enum Transport {
  /** The first available of epoll, kqueue and NIO. The default. */
  AUTO,
  /** The JDK's selector; available everywhere. */
  NIO,
  /** Linux's epoll. */
  EPOLL,
  /** The kqueue of macOS and the BSDs. */
  KQUEUE,
  /**
   * Linux's io_uring; never chosen by {@link #AUTO}. With Netty 4.2.18 a reset by the peer may go
   * unnoticed until the idle timeout.
   */
  IO_URING;

  /** Returns whether this transport can be used on this machine with these libraries. */
  public boolean isAvailable() {
    return this == AUTO || whyUnavailable() == null;
  }

  /**
   * Returns this transport, or the one that {@link #AUTO} selects.
   *
   * @throws IllegalStateException if it is not available; the message gives the reason
   */
  Transport selected() {
    if (this == AUTO) {
      return EPOLL.isAvailable() ? EPOLL : KQUEUE.isAvailable() ? KQUEUE : NIO;
    }
    Throwable cause = whyUnavailable();
    if (cause != null) {
      throw new IllegalStateException(
          "transport: "
              + this
              + " is not available: "
              + cause
              + " (expected: AUTO, NIO, or "
              + libraries()
              + " and an operating system that supports it)",
          cause);
    }
    return this;
  }

  /** Returns the parts of this transport, which must be {@link #selected}. */
  TransportParts parts() {
    return switch (this) {
      case EPOLL -> EpollTransport.parts();
      case KQUEUE -> KQueueTransport.parts();
      case IO_URING -> IoUringTransport.parts();
      default ->
        new TransportParts(
            NioIoHandler.newFactory(),
            NioServerSocketChannel.class,
            NioSocketChannel.class,
            NioServerDomainSocketChannel.class,
            NioDomainSocketChannel.class,
            UnixDomainSocketAddress::of);
    };
  }

  private @Nullable Throwable whyUnavailable() {
    try {
      return switch (this) {
        case EPOLL -> EpollTransport.whyUnavailable();
        case KQUEUE -> KQueueTransport.whyUnavailable();
        case IO_URING -> IoUringTransport.whyUnavailable();
        default -> null;
      };
    } catch (LinkageError absent) {
      return absent;
    }
  }

  private String libraries() {
    String name = name().toLowerCase(Locale.ROOT);
    String system = this == KQUEUE ? "osx" : "linux";
    String processor = switch (System.getProperty("os.arch", "")) {
      case "amd64" -> "x86_64";
      case "aarch64" -> "aarch_64";
      default -> System.getProperty("os.arch", "");
    };
    return "io.netty:netty-transport-classes-" + name + " and io.netty:netty-transport-native-"
        + name + " with the classifier " + system + "-" + processor
        + Check.place("io.netty.transport.classes." + name + ",io.netty.transport." + name + "."
            + system + "." + processor);
  }
}
