package dev.mullion.messaging;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one stored value.
 *
 * <pre>
 *  +---------+--------+-------------------------------+
 *  | version | fields | CRC-32C of all before, 4 bytes |
 *  | 1 byte  |        |                               |
 *  +---------+--------+-------------------------------+
 * </pre>
 *
 * <p>Numbers have 7 bits in each byte, lowest first; a text or array is its length and its bytes.
 */
final class StoreRecord {
  static final int VERSION = 1;
  private static final int CHECK = Integer.BYTES;

  private StoreRecord() {}

  private static int check(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  /** Builds a value. */
  static final class Writer {
    private byte[] bytes;
    private int length;

    Writer(int expected) {
      bytes = new byte[expected + 1 + CHECK];
      putByte(VERSION);
    }

    private void room(int more) {
      if (bytes.length - length < more) {
        bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
      }
    }

    Writer putByte(int value) {
      room(1);
      bytes[length++] = (byte) value;
      return this;
    }

    /** Puts a number that is seldom negative. */
    Writer put(long value) {
      room(10);
      long rest = value;
      while ((rest & ~0x7FL) != 0) {
        bytes[length++] = (byte) (rest | 0x80);
        rest >>>= 7;
      }
      bytes[length++] = (byte) rest;
      return this;
    }

    Writer put(Duration value) {
      return put(value.getSeconds()).put(value.getNano());
    }

    Writer put(byte[] value) {
      put(value.length);
      room(value.length);
      System.arraycopy(value, 0, bytes, length, value.length);
      length += value.length;
      return this;
    }

    Writer put(String value) {
      return put(value.getBytes(StandardCharsets.UTF_8));
    }

    /** Puts a text that may be absent. */
    Writer putOptional(@Nullable String value) {
      return value == null ? putByte(0) : putByte(1).put(value);
    }

    byte[] end() {
      int check = check(bytes, length);
      byte[] all = Arrays.copyOf(bytes, length + CHECK);
      ByteBuffer.wrap(all).putInt(length, check);
      return all;
    }
  }

  /** Reads a value, which it has checked: what is wrong is an {@link IllegalArgumentException}. */
  static final class Reader {
    private final byte[] bytes;
    private final int end;
    private int position;

    Reader(byte[] bytes) {
      this.bytes = bytes;
      this.end = bytes.length - CHECK;
      if (end < 1 || check(bytes, end) != ByteBuffer.wrap(bytes).getInt(end)) {
        throw new IllegalArgumentException("checksum does not match");
      }
      int version = readByte();
      if (version != VERSION) {
        throw new IllegalArgumentException(
            "record version " + version + " (expected: " + VERSION + ")");
      }
    }

    int readByte() {
      if (position >= end) {
        throw new IllegalArgumentException("record ended after " + end + " bytes");
      }
      return bytes[position++] & 0xFF;
    }

    long readLong() {
      long value = 0;
      for (int shift = 0; shift < Long.SIZE; shift += 7) {
        int next = readByte();
        value |= (long) (next & 0x7F) << shift;
        if (next < 0x80) {
          return value;
        }
      }
      throw new IllegalArgumentException("number of more than 10 bytes");
    }

    int readInt() {
      return Math.toIntExact(readLong());
    }

    Duration readDuration() {
      return Duration.ofSeconds(readLong(), readLong());
    }

    byte[] readBytes() {
      int length = readLength();
      byte[] value = Arrays.copyOfRange(bytes, position, position + length);
      position += length;
      return value;
    }

    String readString() {
      int length = readLength();
      String value = new String(bytes, position, length, StandardCharsets.UTF_8);
      position += length;
      return value;
    }

    private int readLength() {
      long length = readLong();
      if (length < 0 || length > end - position) {
        throw new IllegalArgumentException(
            "length " + length + " in a record with " + (end - position) + " bytes left");
      }
      return (int) length;
    }

    @Nullable
    String readOptional() {
      return readByte() == 0 ? null : readString();
    }
  }
}
