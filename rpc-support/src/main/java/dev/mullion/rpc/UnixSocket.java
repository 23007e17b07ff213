package dev.mullion.rpc;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * The file of a listening unix-domain socket. Binding makes it, and fails if it exists. Closing the
 * channel removes it; a server that was killed leaves it behind.
 */
final class UnixSocket {
  /** What the mode of a file says of its kind, and which kind is a socket. */
  private static final int S_IFMT = 0170000;

  private static final int S_IFSOCK = 0140000;

  private UnixSocket() {}

  /** The event loops of all unix-domain sockets: the JDK's, which need no native library. */
  static EventLoopGroup eventLoops() {
    return Loops.ALL;
  }

  /** Made with the first socket; each thread starts with the first connection it has. */
  private static final class Loops {
    static final EventLoopGroup ALL = new MultiThreadIoEventLoopGroup(
        new DefaultThreadFactory("mullion-rpc-unix", true), NioIoHandler.newFactory());
  }

  /**
   * Removes a socket where nobody listens, so that a server can. Of two servers that start in the same
   * moment on the same stale file, one may lose the socket that it has just bound.
   *
   * @throws BindException if somebody listens there, or if it is another kind of file
   */
  static void removeStale(Path path) throws IOException {
    String file = identity(path);
    if (file == null) {
      return;
    }
    if (!isSocket(path)) {
      throw new BindException("cannot listen on " + path + ": it exists and is not a socket");
    }
    if (isListening(path)) {
      throw new BindException("cannot listen on " + path + ": another server listens there");
    }
    // Another server may have come first.
    if (file.equals(identity(path))) {
      Files.deleteIfExists(path);
    }
  }

  /** Returns what tells the file from another of the same name, or null if there is none. */
  private static @Nullable String identity(Path path) throws IOException {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(path, BasicFileAttributes.class, NOFOLLOW_LINKS);
      // The number of an inode is soon used again.
      return attributes.fileKey() + " of " + attributes.creationTime();
    } catch (NoSuchFileException absent) {
      return null;
    }
  }

  private static boolean isSocket(Path path) throws IOException {
    if (path.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      int mode = (int) Files.getAttribute(path, "unix:mode", NOFOLLOW_LINKS);
      return (mode & S_IFMT) == S_IFSOCK;
    }
    return Files.readAttributes(path, BasicFileAttributes.class, NOFOLLOW_LINKS).isOther();
  }

  /** Without blocking: a server that does not come to accept still listens. */
  private static boolean isListening(Path path) throws IOException {
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      probe.configureBlocking(false);
      probe.connect(UnixDomainSocketAddress.of(path));
      return true;
    } catch (ConnectException refused) {
      return false;
    } catch (IOException e) {
      // Such as too many that wait to be accepted, or no permission.
      BindException clear =
          new BindException("cannot listen on " + path + ": it seems to be in use: " + e);
      clear.initCause(e);
      throw clear;
    }
  }
}
