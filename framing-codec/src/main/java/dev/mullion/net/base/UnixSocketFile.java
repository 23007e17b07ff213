package dev.mullion.net.base;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The file of a listening unix-domain socket. A server that is killed leaves it behind.
 *
 * <p>When a channel is closed, Netty's transports remove the file with the name that the channel
 * was bound to, even if it is now the socket of another server. Therefore the channel is bound to a
 * temporary name in the same directory. When the socket listens, it gets the final name, and the
 * temporary name is removed. So clients never find a socket that does not listen yet. At the end
 * the final name is removed only if it still belongs to the same file.
 *
 * <pre>{@code
 *   step                file              what it is
 *   -----------------------------------------------------------------
 *   bind(beside())      .server.sock.x7   listens
 *   publish()           server.sock       the same file, by a hard link, without the first name
 *   remove()            -                 unless server.sock is another file by now
 * }</pre>
 */
public final class UnixSocketFile {
  /** A path up to this length can be extended by some bytes: systems allow 103 to 107. */
  private static final int SHORT_PATH_BYTES = 64;

  /** The number of values with four digits in base 36. */
  private static final int RANDOM = 36 * 36 * 36 * 36;

  /** The file type bits of a mode, and their value for a socket. */
  private static final int S_IFMT = 0170000;

  private static final int S_IFSOCK = 0140000;

  private final Path path;
  private final Path beside;
  private @Nullable String published;

  private UnixSocketFile(Path path, Path beside) {
    this.path = path;
    this.beside = beside;
  }

  /**
   * Prepares a path for a socket: removes an old socket on which no server listens.
   *
   * @throws BindException if a server listens there, or the file is not a socket
   */
  public static UnixSocketFile at(Path path) throws IOException {
    removeStale(path);
    return new UnixSocketFile(path, beside(path));
  }

  /**
   * Returns a temporary name in the same directory. For a long path it has as many bytes as the
   * final name, so that the system rejects it if the final name is too long.
   */
  private static Path beside(Path path) {
    Path name = path.getFileName();
    int length = name == null ? 0 : name.toString().getBytes(UTF_8).length;
    if (length < 2) {
      return path;
    }
    String random = Integer.toString(ThreadLocalRandom.current().nextInt(RANDOM), 36);
    if (path.toString().getBytes(UTF_8).length <= SHORT_PATH_BYTES) {
      return path.resolveSibling("." + name + "." + random);
    }
    String padded = "." + random + "_".repeat(length);
    return path.resolveSibling(padded.substring(0, length));
  }

  /** Returns the temporary name to bind a channel to. */
  public Path beside() {
    return beside;
  }

  /** Gives the listening socket its final name. Returns the error, or null if there was none. */
  public @Nullable Exception publish() {
    try {
      if (!beside.equals(path)) {
        rename();
      }
      published = identity(path);
      return null;
    } catch (FileAlreadyExistsException exists) {
      return new BindException("another server has just started to listen there");
    } catch (IOException e) {
      return e;
    }
  }

  private void rename() throws IOException {
    try {
      Files.createLink(path, beside);
      Files.delete(beside);
    } catch (FileAlreadyExistsException exists) {
      throw exists;
    } catch (IOException | UnsupportedOperationException noLinks) {
      // For example on a file system without hard links. A move almost never replaces a file.
      Files.move(beside, path);
    }
  }

  /**
   * Removes the file if it is still the one that was bound. Call this while the channel is open,
   * because its inode cannot be reused until then.
   *
   * @return whether the file was removed
   */
  public boolean remove() throws IOException {
    return published != null && published.equals(identity(path)) && Files.deleteIfExists(path);
  }

  /** Returns the final name. */
  @Override
  public String toString() {
    return path.toString();
  }

  private static void removeStale(Path path) throws IOException {
    try {
      removeIfStale(path);
    } catch (NoSuchFileException gone) {
      // Its server has stopped meanwhile.
    }
  }

  private static void removeIfStale(Path path) throws IOException {
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
    // Another server may have replaced it meanwhile.
    if (file.equals(identity(path))) {
      Files.deleteIfExists(path);
    }
  }

  /** Returns what distinguishes the file from others of the same name, or null without a file. */
  private static @Nullable String identity(Path path) throws IOException {
    try {
      BasicFileAttributes attributes =
          Files.readAttributes(path, BasicFileAttributes.class, NOFOLLOW_LINKS);
      // Inode numbers are soon reused.
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

  /** Does not block: a server that does not accept now still listens. */
  private static boolean isListening(Path path) throws IOException {
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      probe.configureBlocking(false);
      probe.connect(UnixDomainSocketAddress.of(path));
      return true;
    } catch (ConnectException refused) {
      return false;
    } catch (IOException e) {
      if (identity(path) == null) {
        return false;
      }
      // For example a full backlog, or no permission.
      BindException clear =
          new BindException("cannot listen on " + path + ": it seems to be in use: " + e);
      clear.initCause(e);
      throw clear;
    }
  }
}
