/** Tokens (D28): a short-lived JWT signed by the gateway, or by aiepctl with the local stack's key. */
export const TOKEN_AUDIENCE = "aiep";
export const TOKEN_ALGORITHMS = ["ES256", "EdDSA", "RS256"] as const;
/** Longest life of a token; a token that says more is refused. */
export const MAX_TOKEN_SECONDS = 300;
/** Claims used: iss, aud, sub (user of the directory), iat, exp, jti. Groups come from the directory, never from the token. */
export const LOCAL_ISSUER = "aiep-local";
