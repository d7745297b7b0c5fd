'use strict'

// The token is the user's name; "mallory" is nobody's.
module.exports.guard = async (event) => {
  const name = event.headers.Auth
  if (name === 'nobody') throw new Error('Unauthorized')
  return {
    principalId: name,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect: name === 'mallory' ? 'Deny' : 'Allow', Resource: event.methodArn }],
    },
    context: { team: 'blue' },
  }
}

module.exports.connect = (event, context, callback) => callback(null, { statusCode: 200, body: 'Connected.' })

module.exports.whoami = (event, context, callback) => {
  const { principalId, team } = event.requestContext.authorizer
  callback(null, { statusCode: 200, body: `${principalId} of team ${team}` })
}
