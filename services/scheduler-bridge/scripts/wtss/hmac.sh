# HMAC-SHA256 and base64 in shell arithmetic (FIPS 180-4, RFC 2104, RFC 4648): executors have sh and curl, maybe nothing else.
# Sourced by aiep-run.sh. Needs arithmetic of 64 bits (dash, bash, busybox) and LC_ALL=C, so that a character is a byte.
#
# Two habits keep it quick and keep it in the shell: no subshells, results are left in variables; and lists of numbers are the
# positional parameters of functions. Names in braces are never letters alone: the scheduler replaces such in this file.

sha256_constants='
  0x428a2f98 0x71374491 0xb5c0fbcf 0xe9b5dba5 0x3956c25b 0x59f111f1 0x923f82a4 0xab1c5ed5
  0xd807aa98 0x12835b01 0x243185be 0x550c7dc3 0x72be5d74 0x80deb1fe 0x9bdc06a7 0xc19bf174
  0xe49b69c1 0xefbe4786 0x0fc19dc6 0x240ca1cc 0x2de92c6f 0x4a7484aa 0x5cb0a9dc 0x76f988da
  0x983e5152 0xa831c66d 0xb00327c8 0xbf597fc7 0xc6e00bf3 0xd5a79147 0x06ca6351 0x14292967
  0x27b70a85 0x2e1b2138 0x4d2c6dfc 0x53380d13 0x650a7354 0x766a0abb 0x81c2c92e 0x92722c85
  0xa2bfe8a1 0xa81a664b 0xc24b8b70 0xc76c51a3 0xd192e819 0xd6990624 0xf40e3585 0x106aa070
  0x19a4c116 0x1e376c08 0x2748774c 0x34b0bcb5 0x391c0cb3 0x4ed8aa4a 0x5b9cca4f 0x682e6ff3
  0x748f82ee 0x78a5636f 0x84c87814 0x8cc70208 0x90befffa 0xa4506ceb 0xbef9a3f7 0xc67178f2'
word=$((0xffffffff))

# --- SHA-256 -----------------------------------------------------------------------------------------------------------------
# State: h0…h7, the bytes seen (sha256_length), and the words of the block that is being filled (sha256_words, sha256_partial).

sha256_begin() {
  h0=$((0x6a09e667)) h1=$((0xbb67ae85)) h2=$((0x3c6ef372)) h3=$((0xa54ff53a))
  h4=$((0x510e527f)) h5=$((0x9b05688c)) h6=$((0x1f83d9ab)) h7=$((0x5be0cd19))
  sha256_length=0 sha256_words='' sha256_partial=0
}

# One block: 16 words as arguments. They are also the window over the message schedule: one goes, the next one is made.
sha256_block() {
  a=$h0 b=$h1 c=$h2 d=$h3 e=$h4 f=$h5 g=$h6 h=$h7
  for k in $sha256_constants; do
    t1=$(((h + (((e >> 6) | (e << 26)) ^ ((e >> 11) | (e << 21)) ^ ((e >> 25) | (e << 7)) & word) + ((e & f) ^ (~e & g)) + k + $1) & word))
    t2=$((((((a >> 2) | (a << 30)) ^ ((a >> 13) | (a << 19)) ^ ((a >> 22) | (a << 10))) & word) + ((a & b) ^ (a & c) ^ (b & c))))
    h=$g g=$f f=$e e=$(((d + t1) & word)) d=$c c=$b b=$a a=$(((t1 + t2) & word))
    s0=$(((($2 >> 7) | ($2 << 25)) ^ (($2 >> 18) | ($2 << 14)) ^ ($2 >> 3)))
    s1=$((((${15} >> 17) | (${15} << 15)) ^ ((${15} >> 19) | (${15} << 13)) ^ (${15} >> 10)))
    set -- "$@" $((($1 + (s0 & word) + ${10} + (s1 & word)) & word))
    shift
  done
  h0=$(((h0 + a) & word)) h1=$(((h1 + b) & word)) h2=$(((h2 + c) & word)) h3=$(((h3 + d) & word))
  h4=$(((h4 + e) & word)) h5=$(((h5 + f) & word)) h6=$(((h6 + g) & word)) h7=$(((h7 + h) & word))
}

sha256_byte() {
  sha256_partial=$((sha256_partial << 8 | $1)) sha256_length=$((sha256_length + 1))
  [ $((sha256_length % 4)) -eq 0 ] || return 0
  sha256_words="$sha256_words $sha256_partial" sha256_partial=0
  [ $((sha256_length % 64)) -eq 0 ] || return 0
  # shellcheck disable=SC2086 # a list of words
  sha256_block $sha256_words
  sha256_words=''
}

# The padding; the digest is then in h0…h7.
sha256_end() {
  bits=$((sha256_length * 8))
  sha256_byte 128
  while [ $((sha256_length % 64)) -ne 56 ]; do sha256_byte 0; done
  for shift in 56 48 40 32 24 16 8 0; do sha256_byte $((bits >> shift & 255)); done
}

# --- Text to bytes -----------------------------------------------------------------------------------------------------------

ascii=' !"#$%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~'
chunk_pattern='????????????????????????????????'

# In chunks, since taking one character off a long text costs the whole text.
sha256_text() {
  text=$1
  while [ -n "$text" ]; do
    rest=${text#$chunk_pattern}
    if [ "$rest" = "$text" ]; then chunk=$text text=''; else chunk=${text%"$rest"} text=$rest; fi
    while [ -n "$chunk" ]; do
      tail=${chunk#?}
      code_of "${chunk%"$tail"}"
      sha256_byte "$code"
      chunk=$tail
    done
  done
}

# The number of a byte, in $code: by its place among the printable ones; the shell's printf knows the others.
code_of() {
  before=${ascii%%"$1"*}
  if [ "$before" != "$ascii" ]; then
    code=$((32 + ${#before}))
  else
    code=$(printf '%d' "'$1")
    code=$((code & 255))
  fi
}

# --- HMAC and base64 ---------------------------------------------------------------------------------------------------------

# hmac_base64 TEXT KEY: the key as 16 words, filled up with zeros. The result is in $signature.
hmac_base64() {
  message=$1
  shift
  sha256_begin
  hmac_pad 0x36363636 "$@"
  sha256_text "$message"
  sha256_end
  inner="$h0 $h1 $h2 $h3 $h4 $h5 $h6 $h7"
  sha256_begin
  hmac_pad 0x5c5c5c5c "$@"
  for inner_word in $inner; do
    for shift in 24 16 8 0; do sha256_byte $((inner_word >> shift & 255)); done
  done
  sha256_end
  base64_words $h0 $h1 $h2 $h3 $h4 $h5 $h6 $h7
}

hmac_pad() {
  pad=$1
  shift
  padded=''
  for key_word in "$@"; do padded="$padded $((key_word ^ pad))"; done
  # shellcheck disable=SC2086 # a list of words
  sha256_block $padded
  sha256_length=64
}

base64_digits='A B C D E F G H I J K L M N O P Q R S T U V W X Y Z a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9 + /'

# Of the 32 bytes of a digest: 42 digits of 6 bits, one of the last 4, and the padding.
base64_words() {
  signature='' held=0 bits=0
  for each in "$@"; do
    for half in $((each >> 16)) $((each & 65535)); do
      held=$((held << 16 | half)) bits=$((bits + 16))
      while [ "$bits" -ge 6 ]; do
        bits=$((bits - 6))
        base64_digit $((held >> bits))
        held=$((held & ((1 << bits) - 1)))
      done
    done
  done
  base64_digit $((held << (6 - bits)))
  signature="$signature="
}

base64_digit() {
  digit=$1
  # shellcheck disable=SC2086 # a list of digits
  set -- $base64_digits
  shift "$digit"
  signature="$signature$1"
}
