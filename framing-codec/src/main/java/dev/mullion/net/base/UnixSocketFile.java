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
 * The file of a listening unix-domain socket. A server that was killed leaves it behind.
 *
 * <p>Each of Netty's transports, when its channel is closed, removes whatever file has the name
 * that it was bound to, even if that is the socket of a successor by then. Therefore a channel is
 * bound to a name for the moment, beside the wanted one. The socket gets the wanted name when it
 * listens, and the first name is removed; so nobody finds a socket there that does not listen yet.
 * At the end that name is removed only if it still is the name of the same file.
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
  /** To such a path some bytes can be added: systems take from 103 to 107. */
  private static final int SHORT_PATH_BYTES = 64;

  /** What gives four digits to the base of 36. */
  private static final int RANDOM = 36 * 36 * 36 * 36;

  /** What the mode of a file says of its kind, and which kind is a socket. */
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
   * Makes place for a socket: removes one on which no server listens.
   *
   * @throws BindException if a server listens there, or if it is another kind of file
   */
  public static UnixSocketFile at(Path path) throws IOException {
    removeStale(path);
    return new UnixSocketFile(path, beside(path));
  }

  /**
   * Returns a name in the same directory. One that may be too long for an address has as many bytes
   * as the wanted one, so that the system says whether that is too long.
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

  /** Returns the name to bind a channel to. */
  public Path beside() {
    return beside;
  }

  /** Gives the socket, which listens, the name that was wanted. Returns why it could not. */
  public @Nullable Exception publish() {
    try {
      if (!beside.equals(path)) {
        rename();
      }
      published = identity(path);
      return null;
    } catch (FileAlreadyExistsException exists) {
      return new BindException("another server has just begun to listen there");
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
      // Such as a file system without hard links. This does not replace a file, or hardly ever.
      Files.move(beside, path);
    }
  }

  /**
   * Removes the file if it is still the one that was bound. To be called while the channel is open:
   * so long its inode has no other file.
   *
   * @return whether it is gone
   */
  public boolean remove() throws IOException {
    return published != null && published.equals(identity(path)) && Files.deleteIfExists(path);
  }

  /** Returns the name that was wanted. */
  @Override
  public String toString() {
    return path.toString();
  }

  private static void removeStale(Path path) throws IOException {
    try {
      removeIfStale(path);
    } catch (NoSuchFileException gone) {
      // Its server has ended meanwhile.
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
      if (identity(path) == null) {
        return false;
      }
      // Such as too many that wait to be accepted, or no permission.
      BindException clear =
          new BindException("cannot listen on " + path + ": it seems to be in use: " + e);
      clear.initCause(e);
      throw clear;
    }
  }
}
